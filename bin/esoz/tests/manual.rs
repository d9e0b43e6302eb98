//! The manual pages that the program writes.

use std::fs;
use std::process::Command;

#[test]
fn every_command_has_its_page_and_no_page_names_one_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_esoz"))
        .env_clear()
        .args(["man", "--folder"])
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(folder.path().join("esoz-token-issue.1").exists());

    let text = fs::read_to_string(folder.path().join("esoz.1")).unwrap().replace('\\', "");
    let named: Vec<&str> = text
        .split(|letter: char| !letter.is_ascii_alphanumeric() && !"-()".contains(letter))
        .filter_map(|word| word.strip_suffix("(1)"))
        .collect();
    assert!(named.len() > 10, "{text}");
    for name in named {
        assert!(folder.path().join(format!("{name}.1")).exists(), "esoz.1 names {name}(1)");
    }
}
