//! The `esoz` command, built together with the tests that run it: the same three lines as in `bin/esoz`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    esoz::run().await
}
