//! The tutorial, executed line by line.

use std::net::TcpListener;
use std::os::unix::fs::symlink;

use esoz_tests::process::program;

use crate::page::{Page, root};
use crate::shell::Shell;
use crate::walkthrough::walk;

/// Where the tutorial's server listens.
const PORT: &str = "127.0.0.1:8080";

#[test]
fn it_does_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let programs = tempfile::tempdir().unwrap();
    symlink(program(), programs.path().join("esoz")).unwrap();
    // The tutorial works in a clone, and leaves nothing in this one.
    for name in ["bin", "docs"] {
        symlink(root().join(name), folder.path().join(name)).unwrap();
    }
    // Somebody else may have that port here. Freed at once, and taken again by the tutorial's server.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut shell = Shell::start(folder.path(), programs.path());
    // So many connections fit wherever the tests run.
    shell.run(&format!("export ESOZ_HTTP__BIND={free} ESOZ_HTTP__WORKERS=1 ESOZ_HTTP__MAX_CONNECTIONS=100"));

    let compared = walk(&Page::of_book("tutorial.md"), &mut shell, &[(PORT, &free)], |_| false);
    assert!(compared > 10, "only {compared} outputs were compared");
}
