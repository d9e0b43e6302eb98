//! What the page about embedding says of an empty crate, done in one.

use std::path::Path;
use std::process::Command;

use crate::page::{Page, root};

/// Where the page has the clone of esoz, from the new crate.
const CLONE: &str = "../esoz/";

/// Runs cargo in the crate, without a network.
fn cargo(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(folder).args(arguments);
    command.env("CARGO_TARGET_DIR", folder.join("target")).env("CARGO_NET_OFFLINE", "true");
    // Nobody debugs it; without this it takes three times the room.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
    let output = command.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {complaint}");
    complaint.into_owned()
}

#[test]
fn an_empty_crate_compiles_as_the_page_says() {
    let page = Page::of_book("how-to/embed.md");
    let folder = tempfile::tempdir().unwrap();
    cargo(folder.path(), &["new", "--quiet", "--vcs", "none", "my-service"]);
    let service = folder.path().join("my-service");
    let clone = format!("{}/", root().display());
    // The manifest, in the place of the empty list of dependencies.
    let manifest = std::fs::read_to_string(service.join("Cargo.toml")).unwrap();
    let manifest = manifest.replace("[dependencies]\n", &page.only_block("toml").replace(CLONE, &clone));
    std::fs::write(service.join("Cargo.toml"), manifest).unwrap();
    // Versions that are on this machine already.
    std::fs::copy(root().join("Cargo.lock"), service.join("Cargo.lock")).unwrap();
    // What is copied from the clone.
    let blocks = page.blocks_of("sh");
    let copying = blocks.iter().find(|block| block.starts_with("cp ")).unwrap();
    let done = copying.lines().filter(|line| !line.starts_with("cargo "));
    let script = done.collect::<Vec<_>>().join("\n").replace(CLONE, &clone);
    let copied = Command::new("sh").args(["-ec", &script]).current_dir(&service).status().unwrap();
    assert!(copied.success(), "{script}");
    // Compiled, not run: both files are run where they stand, by the tests of their crates.
    cargo(&service, &["check", "--quiet", "--all-targets"]);
}

#[test]
fn the_crates_are_counted_as_the_page_says() {
    let page = Page::of_book("how-to/embed.md");
    let blocks = page.blocks_of("sh");
    let count = blocks.iter().find(|block| block.starts_with("cargo tree ")).unwrap();
    let count = count.replacen("cargo tree", &format!("{} tree --locked", env!("CARGO")), 1);
    let output = Command::new("sh").args(["-ec", &count]).current_dir(root()).output().unwrap();
    let crates: usize = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    assert!((2..=40).contains(&crates), "{crates} crates");
}
