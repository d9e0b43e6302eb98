//! `cargo xtask simulate`.

use crate::steps::Steps;

/// Plays seeds of the simulation; the arguments are its own.
pub(crate) fn run(steps: &mut Steps, arguments: &[String]) {
    let mut play = steps.cargo(&["run", "--quiet", "--locked", "--package", "esoz-simulation", "--"]);
    play.args(arguments);
    steps.run("simulation", play);
}
