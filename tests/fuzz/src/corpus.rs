//! Inputs as they are kept: one file for each target, one input a line, in Base64 and in order, so that a change shows as the lines that it
//! is about and hundreds of inputs are one small file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::Target;

/// The longest input that is kept, in bytes.
pub const MAX_BYTES: usize = 4_096;

/// The most inputs that are kept for a target; of more, some of each length.
pub const MAX_INPUTS: usize = 400;

/// This package's folder.
pub fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn file(target: &Target) -> PathBuf {
    home().join("corpora").join(format!("{}.txt", target.name))
}

fn regressions(target: &Target) -> PathBuf {
    home().join("regressions").join(target.name)
}

/// The inputs that fuzzing has found to lead to different places.
///
/// # Errors
/// When the file of the target cannot be read, or not as one.
pub fn kept(target: &Target) -> Result<Vec<Vec<u8>>> {
    let path = file(target);
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let input = |(index, line): (usize, &str)| {
        BASE64_STANDARD
            .decode(line)
            .with_context(|| format!("{}, line {}, is no Base64", path.display(), index + 1))
    };
    text.lines().enumerate().map(input).collect()
}

/// The inputs that once broke something, each with the name of its file.
///
/// # Errors
/// When they cannot be read.
pub fn broken_once(target: &Target) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = regressions(target);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    files(&folder)
}

/// Every file of a folder with its content.
fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let content = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        found.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), content));
    }
    found.sort();
    Ok(found)
}

/// Writes everything that is known for a target into a folder, a file for each input: the seeds, what is kept, and what once broke
/// something.
///
/// # Errors
/// When it cannot be read or written.
pub fn unpack(target: &Target, into: &Path) -> Result<()> {
    std::fs::create_dir_all(into).with_context(|| format!("making {}", into.display()))?;
    let kept = if file(target).exists() { kept(target)? } else { Vec::new() };
    let broken = broken_once(target)?.into_iter().map(|(_, input)| input);
    let inputs: BTreeSet<Vec<u8>> = (target.seeds)().into_iter().chain(kept).chain(broken).collect();
    for (index, input) in inputs.into_iter().enumerate() {
        let path = into.join(format!("known-{index:04}"));
        std::fs::write(&path, input).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Keeps the inputs of a folder for a target, in place of those that were kept; gives how many.
///
/// # Errors
/// When they cannot be read or written.
pub fn pack(target: &Target, from: &Path) -> Result<usize> {
    let found = files(from)?.into_iter().map(|(_, input)| input).filter(|input| input.len() <= MAX_BYTES);
    let mut inputs: Vec<Vec<u8>> = found.collect();
    inputs.sort_by(|left, right| left.len().cmp(&right.len()).then_with(|| left.cmp(right)));
    inputs.dedup();
    let found = inputs.len();
    let kept: Vec<&Vec<u8>> = if found <= MAX_INPUTS {
        inputs.iter().collect()
    } else {
        (0..MAX_INPUTS).filter_map(|number| inputs.get(number * found / MAX_INPUTS)).collect()
    };
    let text: String = kept.iter().map(|input| BASE64_STANDARD.encode(input) + "\n").collect();
    let path = file(target);
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(kept.len())
}
