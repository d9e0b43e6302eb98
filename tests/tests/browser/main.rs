//! The pages in a real browser: what a person sees there, and whether a request can be sent from them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod docs;
mod driver;
mod inspector;

use std::path::Path;

use esoz_test_servers::Browser;
use esoz_testkit::wait::wait_for;
use esoz_tests::DEADLINE;
use thirtyfour::WebDriver;
use thirtyfour::error::WebDriverResult;

use driver::{Page, session};

/// Runs a check in a session of its own, and ends the session however the check ends.
async fn in_browser(base: &str, check: impl AsyncFnOnce(Page<'_>) -> WebDriverResult<()>) {
    let browser = Browser::start().unwrap();
    let driver: WebDriver = session(&browser).await;
    let outcome = check(Page { driver: &driver, driver_url: &browser.driver_url(), base }).await;
    driver.quit().await.unwrap();
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_ends_with_its_starter_and_leaves_nothing() {
    let browser = Browser::start().unwrap();
    let driver = session(&browser).await;
    driver.goto("about:blank").await.unwrap();
    let arguments = browser.arguments();
    let profile = arguments.iter().find_map(|argument| argument.strip_prefix("--user-data-dir=")).unwrap();
    let home = Path::new(profile).parent().unwrap().to_owned();
    assert!(processes_of(&home).len() > 1, "{:?}", processes_of(&home));
    // As when a test ends without a word to the browser.
    driver.leak().unwrap();
    drop(browser);
    assert!(!home.exists());
    // The browser's crash handlers leave its tree; they end by themselves when it is gone.
    wait_for("the end of the browser", DEADLINE, async || {
        let left = processes_of(&home);
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}

/// The processes that were told of this folder, by their arguments or by where they were started.
fn processes_of(home: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()) {
        // Not a process, or ended meanwhile.
        let Ok(line) = std::fs::read(process.join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let started_there = std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(home));
        if started_there || line.contains(home.to_str().unwrap()) {
            found.push(line);
        }
    }
    found
}
