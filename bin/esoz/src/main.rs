//! The `esoz` command.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    esoz::run().await
}
