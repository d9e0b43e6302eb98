//! The `esoz` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    esoz::main()
}
