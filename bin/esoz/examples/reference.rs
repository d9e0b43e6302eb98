//! Writes the generated pages of the book below the folder that it is given. `cargo xtask reference` runs it.

use std::path::PathBuf;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let docs = PathBuf::from(std::env::args_os().nth(1).context("where is docs/?")?);
    for (name, text) in esoz::reference::pages()? {
        let path = docs.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
