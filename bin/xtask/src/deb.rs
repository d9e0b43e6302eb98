//! `cargo xtask deb`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::steps::Steps;
use crate::third_party;

/// Where the configuration of the package differs from the example: a service has its data and its secret at fixed places.
const CONFIGURATION: [(&str, &str); 3] = [
    (r#"path = "esoz.sqlite""#, r#"path = "/var/lib/esoz/esoz.sqlite""#),
    (r#"folder = "esoz-media""#, r#"folder = "/var/lib/esoz/media""#),
    (r#"key_file = """#, r#"key_file = "/etc/esoz/patient.key""#),
];

/// Each shell with the name of its completions in the package.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "esoz.bash"), ("zsh", "_esoz"), ("fish", "esoz.fish")];

/// Who publishes the package: a placeholder, to be replaced by the publisher's name and address.
const MAINTAINER: &str = "The esoz authors <maintainers@esoz.invalid>";

/// Builds the Debian package: the program with this profile and these features, and what is made from it.
pub(crate) fn run(steps: &mut Steps, profile: &str, features: &[String]) -> Result<()> {
    ensure!(
        steps.has_cargo_command("deb"),
        "cargo-deb is missing: `cargo install cargo-deb --locked --version 3.8.0`"
    );
    let mut build = steps.cargo(&["build", "--locked", "--package", "esoz", "--profile", profile]);
    build.args(features.iter().flat_map(|feature| ["--features", feature]));
    if !steps.run("build", build) {
        return Ok(());
    }
    let folder = if profile == "dev" { "debug" } else { profile };
    let program = steps.path("target").join(folder).join("esoz");
    let staged = steps.path("target/deploy");
    stage(steps, &program, &staged)?;
    write(&staged.join("changelog"), &changelog(steps)?)?;
    third_party::run(steps, features)?;

    let package = steps.path("target/deploy/esoz.deb");
    let mut deb =
        steps.cargo(&["deb", "--package", "esoz", "--no-build", "--profile", profile, "--maintainer"]);
    deb.arg(MAINTAINER).arg("--output").arg(&package);
    if profile != "release" {
        // A package to try: smaller and sooner ready.
        deb.args(["--strip", "--fast"]);
    }
    if steps.run("deb", deb) {
        steps.note(format!("The package is {}", package.display()));
        if Command::new("lintian").arg("--version").output().is_ok() {
            let mut lintian = Command::new("lintian");
            // The configuration may hold a secret: its mode is meant. The package is in no archive of Debian, whose bug it could close.
            let meant = "non-standard-file-perm,initial-upload-closes-no-bugs";
            lintian.args(["--fail-on", "error,warning", "--suppress-tags", meant]);
            lintian.arg(&package);
            steps.run("lintian", lintian);
        } else {
            steps.note("lintian is not installed: the package was not linted".to_owned());
        }
    }
    Ok(())
}

/// Writes the configuration, the manual pages and the completions that the package holds.
fn stage(steps: &Steps, program: &Path, staged: &Path) -> Result<()> {
    let man = staged.join("man");
    if man.exists() {
        fs::remove_dir_all(&man).with_context(|| format!("removing {}", man.display()))?;
    }
    fs::create_dir_all(&man).with_context(|| format!("making {}", man.display()))?;
    let example = steps.path("docs/esoz.example.toml");
    let text = fs::read_to_string(&example).with_context(|| format!("reading {}", example.display()))?;
    write(&staged.join("esoz.toml"), &configuration(&text)?)?;
    let mut pages = Command::new(program);
    output(pages.arg("man").arg("--folder").arg(&man))?;
    for (shell, name) in COMPLETIONS {
        let completions = output(Command::new(program).args(["completions", shell]))?;
        write(&staged.join(name), &completions)?;
    }
    Ok(())
}

/// The example with the places of the package.
fn configuration(example: &str) -> Result<String> {
    let mut lines: Vec<&str> = example.lines().collect();
    for (old, new) in CONFIGURATION {
        let mut places = lines.iter_mut().filter(|line| **line == old);
        let place = places.next().with_context(|| format!("the example has no line `{old}`"))?;
        *place = new;
        ensure!(places.next().is_none(), "the example has the line `{old}` twice");
    }
    Ok(lines.join("\n") + "\n")
}

/// The changelog of the package in Debian's form; that of the program is beside it.
fn changelog(steps: &Steps) -> Result<String> {
    let mut log = Command::new("git");
    log.current_dir(steps.path("")).args(["log", "-1", "--format=%cD"]);
    Ok(format!(
        "esoz ({}-1) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- {MAINTAINER}  {}\n",
        env!("CARGO_PKG_VERSION"),
        output(&mut log)?.trim_end()
    ))
}

/// What a command prints.
fn output(command: &mut Command) -> Result<String> {
    let program = PathBuf::from(command.get_program());
    let output = command.output().with_context(|| format!("running {}", program.display()))?;
    ensure!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_becomes_the_configuration_of_the_package() {
        let text = configuration(include_str!("../../../docs/esoz.example.toml")).unwrap();
        for (_, new) in CONFIGURATION {
            assert_eq!(text.lines().filter(|line| *line == new).count(), 1, "{new}");
        }
        assert!(configuration("key_file = \"\"").is_err());
    }
}
