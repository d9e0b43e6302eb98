//! Prints the OpenAPI description. `cargo xtask openapi` writes what it prints to `docs/openapi.json`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(esoz_http::openapi()?.as_bytes())
}
