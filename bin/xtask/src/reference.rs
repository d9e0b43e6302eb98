//! `cargo xtask reference`.

use std::time::Instant;

use anyhow::Context as _;
use cargo_metadata::MetadataCommand;

use crate::{rooms, steps::Steps};

/// Writes the generated pages of the book anew.
pub(crate) fn run(steps: &mut Steps) -> anyhow::Result<()> {
    let mut write =
        steps.cargo(&["run", "--quiet", "--locked", "--package", "esoz", "--example", "reference", "--"]);
    write.arg(steps.path("docs"));
    steps.run("docs/reference", write);

    let began = Instant::now();
    let metadata = MetadataCommand::new().no_deps().exec().context("cargo metadata")?;
    let file = steps.path("docs").join(rooms::FILE);
    std::fs::write(&file, rooms::drawing(&metadata)?)
        .with_context(|| format!("writing {}", file.display()))?;
    steps.record(rooms::FILE, true, began.elapsed());
    Ok(())
}
