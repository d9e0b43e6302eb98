//! Holds `docs/architecture.md` to be true: each invariant that can be read off the code is read off it here.
#![expect(clippy::unwrap_used, reason = "tests")]

mod code;
mod dependencies;
mod documentation;

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package};

/// The crates that know rules.
const DOMAIN: [&str; 8] = [
    "esoz-kernel",
    "esoz-auth",
    "esoz-legal-entity",
    "esoz-events",
    "esoz-signed-content",
    "esoz-registries",
    "esoz-device-dispense",
    "esoz-contract-division",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn metadata() -> Metadata {
    // What other platforms need is not built here.
    let platform = "--filter-platform=x86_64-unknown-linux-gnu".to_owned();
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).other_options(["--locked".to_owned(), platform]);
    command.exec().unwrap()
}

fn members(metadata: &Metadata) -> Vec<&Package> {
    metadata.workspace_packages()
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}
