//! The tutorial, the Ukrainian quick start and the pharmacy's day, executed line by line.

use std::net::TcpListener;
use std::os::unix::fs::symlink;

use esoz_tests::process::program;

use crate::page::{Page, root};
use crate::shell::Shell;
use crate::walkthrough::walk;

/// Where the server of the page listens.
const PORT: &str = "127.0.0.1:8080";

/// Works through a page in a folder of its own, and gives how many outputs were compared.
fn compared(page: &str) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let programs = tempfile::tempdir().unwrap();
    symlink(program(), programs.path().join("esoz")).unwrap();
    // The page works in a clone, and leaves nothing in this one.
    for name in ["bin", "docs"] {
        symlink(root().join(name), folder.path().join(name)).unwrap();
    }
    // Somebody else may have that port here. Freed at once, and taken again by the page's server.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut shell = Shell::start(folder.path(), programs.path());
    // So many connections fit wherever the tests run.
    shell.run(&format!("export ESOZ_HTTP__BIND={free} ESOZ_HTTP__WORKERS=1 ESOZ_HTTP__MAX_CONNECTIONS=100"));
    walk(&Page::of_book(page), &mut shell, &[(PORT, &free)], |_, _| false)
}

#[test]
fn the_tutorial_does_what_it_says() {
    let compared = compared("tutorial.md");
    assert!(compared > 10, "only {compared} outputs were compared");
}

#[test]
fn the_ukrainian_quick_start_does_what_it_says() {
    let compared = compared("uk/quick-start.md");
    assert!(compared > 7, "only {compared} outputs were compared");
}

/// Nobody keeps two versions of the same commands.
#[test]
fn the_ukrainian_quick_start_has_the_commands_of_the_tutorial() {
    let tutorial = Page::of_book("tutorial.md");
    let known: Vec<&str> = tutorial.blocks_of("sh").into_iter().flat_map(str::lines).collect();
    let quick_start = Page::of_book("uk/quick-start.md");
    let lines = quick_start.blocks_of("sh").into_iter().flat_map(str::lines);
    for line in lines {
        assert!(known.contains(&line), "the tutorial does not have: {line}");
    }
}

#[test]
fn a_pharmacys_day_goes_as_it_says() {
    let compared = compared("how-to/a-pharmacys-day.md");
    assert!(compared > 10, "only {compared} outputs were compared");
}
