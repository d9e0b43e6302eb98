//! The pages that are made from the program are what it would make today.

use crate::page::root;

#[path = "../../../bin/esoz/examples/reference.rs"]
#[expect(dead_code, reason = "its `main` writes the pages")]
mod reference;

#[test]
fn they_are_what_the_program_is() {
    let pages = reference::pages().unwrap();
    assert!(!pages.is_empty());
    for (name, text) in pages {
        let committed = std::fs::read_to_string(root().join("docs").join(name)).unwrap_or_default();
        assert!(
            committed == text,
            "docs/{name} is not what the program says any more; `cargo xtask reference` writes it anew"
        );
    }
}
