//! The `esoz-bench` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    esoz_bench::main()
}
