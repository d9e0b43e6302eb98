//! `cargo xtask reference`.

use crate::steps::Steps;

/// Writes the generated pages of the book anew.
pub(crate) fn run(steps: &mut Steps) {
    let mut write =
        steps.cargo(&["run", "--quiet", "--locked", "--package", "esoz", "--example", "reference", "--"]);
    write.arg(steps.path("docs"));
    steps.run("docs/reference", write);
}
