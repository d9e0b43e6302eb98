//! `cargo xtask size`.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;
use std::{fs, iter};

use anyhow::{Context, Result, ensure};

use crate::circles::{Module, Modules, print_circles};
use crate::steps::{Steps, say};

/// A longer file does more than one thing.
const MAX_LINES: usize = 300;

/// Workspace members that help to build and test the product.
const TOOLS: [&str; 2] = ["bin/xtask", "crates/testkit"];

/// Prints the product's lines of code by crate. Fails on files over 300 lines and on circles between the files of a crate.
pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    let started = Instant::now();
    let mut git = Command::new("git");
    git.current_dir(steps.path("")).args(["ls-files", "*.rs"]);
    let listed = git.output().context("running git")?;
    ensure!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let files = String::from_utf8(listed.stdout)?;
    let mut texts = BTreeMap::new();
    for file in files.lines() {
        let text = fs::read_to_string(steps.path(file)).with_context(|| format!("reading {file}"))?;
        texts.insert(file, text);
    }

    let (mut lines_of, mut modules_of) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, Modules>::new());
    for (file, text) in texts.iter().filter(|(file, _)| is_code(file)) {
        let member = file.match_indices('/').nth(1).map_or(*file, |(end, _)| file.split_at(end).0);
        if !TOOLS.contains(&member) {
            *lines_of.entry(member).or_default() += code_lines(text).count();
        }
        let path = match file.split_once("/src/").map(|(_, path)| path.trim_end_matches(".rs")) {
            None => continue,
            Some("main") if texts.contains_key(format!("{member}/src/lib.rs").as_str()) => continue,
            Some("main" | "lib") => Vec::new(),
            Some(path) => path.trim_end_matches("/mod").split('/').collect(),
        };
        modules_of.entry(member).or_default().insert(path, Module::read(file, code_lines(text)));
    }
    say("\nProduct code, without tests, examples, comments and blank lines");
    for (member, lines) in &lines_of {
        say(&format!("{lines:>7}  {member}"));
    }
    say(&format!("{:>7}  in all", lines_of.values().sum::<usize>()));
    say(&format!("\nFiles over {MAX_LINES} lines"));
    let lengths = texts.iter().map(|(file, text)| (file, text.lines().count()));
    let too_long: Vec<_> = lengths.filter(|(_, lines)| *lines > MAX_LINES).collect();
    for (file, lines) in &too_long {
        say(&format!("{lines:>7}  {file}"));
    }
    say("\nCircles between the files of a crate");
    let without_circles = modules_of.values().map(print_circles).filter(|is_without| *is_without).count();
    let passed = too_long.is_empty() && without_circles == modules_of.len();
    steps.record("lengths of files, and circles between them", passed, started.elapsed());
    Ok(())
}

/// Is that a source file of a crate or a program, and no test or example?
fn is_code(file: &str) -> bool {
    (file.starts_with("crates/") || file.starts_with("bin/"))
        && !(file.contains("/tests/") || file.contains("/examples/") || file.ends_with("tests.rs"))
}

/// Is what follows compiled for tests alone?
fn is_of_tests(attribute: &str) -> bool {
    attribute == "#[cfg(test)]" || attribute.starts_with("#[cfg(all(test, ")
}

/// The lines that are no comment, not blank, and not in a `#[cfg(test)] mod … { … }`, which may want features as well. Such a module ends where
/// rustfmt puts its last brace: below its first word.
fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut lines = text.lines().peekable();
    iter::from_fn(move || {
        loop {
            let line = lines.next()?;
            let (indent, code) = line.split_at(line.len() - line.trim_start().len());
            let is_module = |line: &&str| line.contains("mod ") && line.ends_with('{');
            if is_of_tests(code) && lines.next_if(is_module).is_some() {
                lines.find(|line| line.strip_prefix(indent) == Some("}"));
            } else if !code.is_empty() && !code.starts_with("//") {
                return Some(code);
            }
        }
    })
}
