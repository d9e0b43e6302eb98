//! Tools in Python and JavaScript: each fetched once, by its lock file, into a folder below `target/tools`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::steps::{Steps, say};

/// Fetches by pip what `requirements.txt` in a folder of `tests` names; gives the folder of the packages.
pub(crate) fn by_pip(steps: &Steps, name: &str) -> Result<PathBuf> {
    let wanted = steps.path("tests").join(name).join("requirements.txt");
    fetched(steps, name, &[&wanted], |content| {
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
        ])
        .args(["--no-deps", "--require-hashes", "--only-binary=:all:", "--target"])
        .arg(content)
        .arg("--requirement")
        .arg(&wanted);
        let status = pip.status().context("python3 cannot be run: install Python 3.11 or newer with pip")?;
        ensure!(
            status.success(),
            "pip could not fetch what {} names: see above (wanted are Python 3.11 to 3.14 with pip, on Linux on x86_64)",
            wanted.display()
        );
        Ok(())
    })
}

/// Fetches by npm what `package-lock.json` in a folder of `tests` names; gives the folder that has `node_modules`.
pub(crate) fn by_npm(steps: &Steps, name: &str) -> Result<PathBuf> {
    let wanted = ["package-lock.json", "package.json"].map(|file| steps.path("tests").join(name).join(file));
    let [lock, package] = &wanted;
    fetched(steps, &format!("{name}-npm"), &[lock, package], |content| {
        let mut npm = Command::new("npm");
        npm.current_dir(content).args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]);
        let status = npm.status().context("npm cannot be run: install Node.js 20 or newer with npm")?;
        ensure!(status.success(), "npm could not fetch what {} names: see above", lock.display());
        Ok(())
    })
}

/// Makes a folder of `target/tools` with those lock files, unless it is there with the same first one, and has it filled.
fn fetched(
    steps: &Steps,
    name: &str,
    locks: &[&Path],
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let tools = steps.path("target/tools");
    let folder = tools.join(name);
    let is_there = |lock: &&Path| {
        let there = lock.file_name().and_then(|file| fs::read(folder.join(file)).ok());
        Ok::<_, anyhow::Error>(
            there == Some(fs::read(lock).with_context(|| format!("reading {}", lock.display()))?),
        )
    };
    if locks.iter().map(is_there).collect::<Result<Vec<_>>>()?.into_iter().all(|is_there| is_there) {
        return Ok(folder);
    }
    say(&format!("\n▶ {name}: fetching it"));
    fs::create_dir_all(&tools).with_context(|| format!("making {}", tools.display()))?;
    // Whole or not at all: it gets its name when it is complete.
    let scratch = tempfile::Builder::new().prefix(".fetching-").tempdir_in(&tools)?;
    let content = scratch.path().join("content");
    fs::create_dir(&content)?;
    for lock in locks {
        let name = lock.file_name().context("a lock file has a name")?;
        fs::copy(lock, content.join(name)).with_context(|| format!("copying {}", lock.display()))?;
    }
    fill(&content)?;
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::rename(&content, &folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}
