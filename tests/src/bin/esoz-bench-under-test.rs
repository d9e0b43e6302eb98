//! The `esoz-bench` command, built together with the test that runs it: the same as in `tests/bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    esoz_bench::main()
}
