//! The licenses and notices of the libraries that are compiled into the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand, PackageId};

/// What the names of such files begin with.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];

/// How deep below a package they are: those of a library in C are in its own folder.
const DEPTH: usize = 2;

/// Lists the libraries that the program has with these features, and quotes each license and notice once.
pub(crate) fn licenses(manifest: &Path, features: &[String]) -> Result<String> {
    let mut command = MetadataCommand::new();
    command.manifest_path(manifest).other_options(["--locked".to_owned()]);
    if !features.is_empty() {
        command.features(CargoOpt::SomeFeatures(features.to_vec()));
    }
    let metadata = command.exec().context("asking cargo for the dependencies")?;
    let resolve = metadata.resolve.as_ref().context("cargo resolves no dependencies")?;
    let mut seen: BTreeSet<&PackageId> = BTreeSet::new();
    let mut next = vec![resolve.root.as_ref().context("the program is no package")?];
    while let Some(id) = next.pop() {
        if seen.insert(id) {
            let node =
                resolve.nodes.iter().find(|node| node.id == *id).context("a package is not resolved")?;
            let compiled_in = node.deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            });
            next.extend(compiled_in.map(|dependency| &dependency.pkg));
        }
    }
    let mut packages: Vec<_> =
        metadata.packages.iter().filter(|package| seen.contains(&package.id)).collect();
    packages.retain(|package| package.source.is_some());
    packages.sort_by_key(|package| (package.name.to_string(), package.version.clone()));

    let mut page =
        String::from("Libraries that are compiled into esoz, with their licenses. Their texts follow.\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let name = format!("{} {}", package.name, package.version);
        let license = package.license.as_deref().unwrap_or("see its text");
        writeln!(page, "{name}: {license} <{}>", package.repository.as_deref().unwrap_or_default())?;
        let folder = package.manifest_path.parent().context("a manifest is in a folder")?;
        let mut found = BTreeSet::new();
        collect(folder.as_std_path(), DEPTH, &mut found)?;
        for text in found {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    for (text, names) in texts {
        writeln!(page, "\n{}\n{}:\n\n{}", "-".repeat(80), names.join(", "), text.trim_end())?;
    }
    Ok(page)
}

fn collect(folder: &Path, depth: usize, texts: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let kind = entry.file_type()?;
        if kind.is_dir() && depth > 0 {
            collect(&entry.path(), depth - 1, texts)?;
        } else if kind.is_file() && NAMES.iter().any(|prefix| name.starts_with(prefix)) {
            texts.insert(String::from_utf8_lossy(&fs::read(entry.path())?).replace('\r', ""));
        }
    }
    Ok(())
}
