//! `cargo xtask book`.

use std::process::Command;

use crate::steps::Steps;

/// Makes the book. That its links, commands and code are sound is the tests' business.
pub(crate) fn run(steps: &mut Steps) -> anyhow::Result<()> {
    let is_there =
        Command::new("mdbook").arg("--version").output().is_ok_and(|output| output.status.success());
    anyhow::ensure!(
        is_there,
        "mdBook is missing: `cargo install mdbook --locked`, or run .ci/run, which fetches it"
    );
    let mut book = Command::new("mdbook");
    book.arg("build").arg(steps.path("docs"));
    steps.run("book", book);
    Ok(())
}
