//! What was measured, for the terminal, for `docs/performance.md`, and for whoever wants the figures themselves.

mod bars;
mod machine;
mod page;
mod tables;

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

pub use machine::{Machine, load};
pub(crate) use tables::summary;

use crate::groups::Results;

/// Below the folder of the book: the page, and the folder of figures and plots.
const PAGE: &str = "performance.md";
const FOLDER: &str = "performance";
const FIGURES: &str = "performance/results.json";

/// All that is written down.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// On what it was measured, as (what, which).
    pub machine: Machine,
    /// What was measured.
    pub results: Results,
}

impl Report {
    /// What was written down in that folder of the book, with newer results in the place of older ones of the same group.
    pub fn newer(docs: &Path, machine: Machine, results: Results) -> Result<Self> {
        let mut report = if docs.join(FIGURES).exists() { Self::read(docs)? } else { Self::default() };
        report.machine = machine.with_what_only(report.machine);
        report.results.0.extend(results.0);
        Ok(report)
    }

    /// What was written down in that folder of the book.
    pub fn read(docs: &Path) -> Result<Self> {
        let path = docs.join(FIGURES);
        let text = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("understanding {}", path.display()))
    }

    /// Writes figures and plots, and the parts of the page that are made from them.
    pub fn write(&self, docs: &Path) -> Result<()> {
        let write = |file: &str, text: &str| {
            let path = docs.join(file);
            std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
        };
        std::fs::create_dir_all(docs.join(FOLDER)).context("making the folder of the plots")?;
        write(FIGURES, &format!("{}\n", serde_json::to_string_pretty(self)?))?;
        for page::Plot { file, svg, .. } in page::plots(&self.results) {
            write(&format!("{FOLDER}/{file}"), &svg)?;
        }
        let path = docs.join(PAGE);
        let page = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        write(PAGE, &page::with_report(&page, self)?)
    }
}
