//! The licenses and notices of the libraries that are compiled into the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use cargo_metadata::{MetadataCommand, Package};

use crate::steps::{Steps, say};

/// What the names of such files begin with.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];

/// How deep below a package they are: those of a library in C are in its own folder.
const DEPTH: usize = 2;

/// Where the list is written to.
const LIST: &str = "target/deploy/third-party-licenses.txt";

/// Writes the licenses of a program with these features to [`LIST`], for the package, the image and the archives of a release.
pub(crate) fn run(steps: &mut Steps, features: &[String]) -> Result<()> {
    say(&format!("\n▶ licenses: {LIST}"));
    let began = Instant::now();
    let list = steps.path(LIST);
    let text = licenses(&steps.path("bin/esoz/Cargo.toml"), features)?;
    let folder = list.parent().context("the list is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(&list, text).with_context(|| format!("writing {}", list.display()))?;
    steps.record("licenses", true, began.elapsed());
    Ok(())
}

/// Lists the libraries that the program has with these features on this platform, and quotes each license and notice once.
fn licenses(manifest: &Path, features: &[String]) -> Result<String> {
    let compiled_in = compiled_in(manifest, features)?;
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .other_options(["--locked".to_owned()])
        .exec()
        .context("asking cargo for the packages")?;
    let is_compiled_in = |package: &&Package| {
        package.source.is_some() && compiled_in.contains(&format!("{} v{}", package.name, package.version))
    };
    let mut packages: Vec<_> = metadata.packages.iter().filter(is_compiled_in).collect();
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

/// Names the packages in the program, each as `name vversion`. `cargo metadata` would tell those of the whole workspace and of every platform.
fn compiled_in(manifest: &Path, features: &[String]) -> Result<BTreeSet<String>> {
    let tree = |edges: &str| -> Result<Vec<String>> {
        let mut tree = Command::new(env!("CARGO"));
        tree.args(["tree", "--locked", "--prefix", "none", "--format", "{p}", "--edges", edges]);
        tree.arg("--manifest-path").arg(manifest).args(["--features", &features.join(",")]);
        let output = tree.stderr(Stdio::inherit()).output().context("running cargo tree")?;
        ensure!(output.status.success(), "cargo tree failed: see above");
        Ok(String::from_utf8(output.stdout)
            .context("cargo tree prints text")?
            .lines()
            .map(str::to_owned)
            .collect())
    };
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let linked = tree("normal")?.into_iter().filter(|line| !line.contains("(proc-macro)"));
    let mut names: BTreeSet<String> = linked.map(|line| name(&line)).collect();
    // The sources of a library in C are a package that only a build script asks for.
    let of_build_scripts = tree("normal,build")?.into_iter().map(|line| name(&line));
    names.extend(
        of_build_scripts.filter(|name| name.split(' ').next().is_some_and(|name| name.ends_with("-src"))),
    );
    Ok(names)
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
