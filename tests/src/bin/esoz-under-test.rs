//! The `esoz` command, built together with the tests that run it: the same as in `bin/esoz`.

use std::process::ExitCode;

fn main() -> ExitCode {
    esoz::main()
}
