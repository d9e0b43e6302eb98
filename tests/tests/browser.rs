//! `GET /docs` in a real browser: what a person sees there, and whether a request can be sent from it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::path::Path;
use std::time::Duration;

use esoz_test_servers::Browser;
use esoz_testkit::wait::{wait_for, wait_for_blocking};
use esoz_tests::DEADLINE;
use esoz_tests::process::Process;
use serde_json::Value;
use tempfile::TempDir;
use thirtyfour::error::WebDriverResult;
use thirtyfour::extensions::query::ElementQueryable as _;
use thirtyfour::{
    By, ChromeCapabilities, ChromiumLikeCapabilities as _, Key, LoggingPrefsLogLevel, WebDriver, WebElement,
};

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a demo printed, as a person picks it out of there.
struct Demo {
    _process: Process,
    _folder: TempDir,
    base: String,
    requests: Vec<String>,
}

impl Demo {
    fn start() -> Self {
        let variables = vec![("ESOZ_HTTP__BIND".to_owned(), "127.0.0.1:0".to_owned())];
        let folder = tempfile::tempdir().unwrap();
        let process = Process::start(&variables, &["demo", "--folder", folder.path().to_str().unwrap()]);
        let printed = wait_for_blocking("the demo", DEADLINE, || {
            let text = process.stdout().join("\n");
            text.contains("/docs").then_some(text).ok_or_else(|| process.stderr().join("\n"))
        });
        let base = between(&printed, "listening on ", ";").to_owned();
        assert!(printed.contains(&format!("{base}/docs")), "{printed}");
        let requests =
            printed.split("\n\n").filter(|part| part.starts_with("curl ")).map(str::to_owned).collect();
        Self { _process: process, _folder: folder, base, requests }
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).and_then(|(_, rest)| rest.split_once(end)).unwrap_or_else(|| panic!("{text}")).0
}

async fn session(browser: &Browser) -> WebDriver {
    let mut wanted = ChromeCapabilities::new();
    wanted.set_binary(browser.program().to_str().unwrap()).unwrap();
    for argument in browser.arguments() {
        wanted.add_arg(&argument).unwrap();
    }
    wanted.add_arg("--window-size=1200,1400").unwrap();
    wanted.set_logging_prefs("performance", LoggingPrefsLogLevel::All).unwrap();
    wanted.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
    WebDriver::new(browser.driver_url(), wanted).await.unwrap()
}

/// A session, with what a person does in it.
struct Page<'a> {
    driver: &'a WebDriver,
    base: &'a str,
}

impl Page<'_> {
    /// Opens the page afresh: nothing that was entered before is left.
    async fn open(&self) -> WebDriverResult<()> {
        self.driver.goto("about:blank").await?;
        self.driver.goto(format!("{}/docs", self.base)).await?;
        self.find(".opblock").await.map(drop)
    }

    async fn find(&self, css: &str) -> WebDriverResult<WebElement> {
        self.driver.query(By::Css(css)).wait(DEADLINE, LOOK_EVERY).and_displayed().first().await
    }

    async fn click(&self, css: &str) -> WebDriverResult<()> {
        self.find(css).await?.click().await
    }

    async fn enter(&self, css: &str, text: &str) -> WebDriverResult<()> {
        let field = self.find(css).await?;
        field.send_keys(Key::Control + "a").await?;
        field.send_keys(text).await
    }

    /// The text that is seen, without the invisible characters that let long paths break.
    async fn text(&self) -> WebDriverResult<String> {
        Ok(self.find("body").await?.text().await?.replace('\u{200b}', ""))
    }

    async fn authorize(&self, token: &str, api_key: Option<&str>) -> WebDriverResult<()> {
        self.click(".btn.authorize").await?;
        for (field, value) in [("#auth-bearer-value", Some(token)), ("#api_key_value", api_key)] {
            if let Some(value) = value {
                self.enter(field, value).await?;
                self.click(&format!("form:has({field}) .authorize")).await?;
            }
        }
        self.click(".auth-btn-wrapper .btn-done").await
    }

    /// Makes the form of an operation ready to be filled in.
    async fn try_out(&self, operation: &str) -> WebDriverResult<()> {
        self.click(&format!("[id$='-{operation}'] .opblock-summary-control")).await?;
        self.click(".try-out__btn").await
    }

    /// Sends what was filled in; gives the status and the body that the page then shows.
    async fn execute(&self) -> WebDriverResult<(String, String)> {
        self.click(".btn.execute").await?;
        let status = self.find(".live-responses-table .response .response-col_status").await?.text().await?;
        let body = self.find(".live-responses-table .response .highlight-code").await?.text().await?;
        Ok((status, body))
    }

    /// Where the browser sent requests until now.
    async fn requests(&self) -> WebDriverResult<Vec<String>> {
        let entries = self.driver.get_log("performance").await?;
        let events = entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.message).unwrap());
        let sent = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        Ok(sent
            .map(|event| event["message"]["params"]["request"]["url"].as_str().unwrap().to_owned())
            .collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_the_api_and_sends_requests_to_its_own_server_alone() {
    let demo = Demo::start();
    let browser = Browser::start().unwrap();
    let (stop, update) = (&demo.requests[0], &demo.requests[1]);
    let check = async |page: Page<'_>| {
        page.open().await?;
        let text = page.text().await?;
        for seen in [
            "stop_device_dispense",
            "/api/patients/{patient_id}/device_dispenses/{id}/actions/stop",
            "update_contract_division",
            "/api/admin/contract_divisions/{id}",
        ] {
            assert!(text.contains(seen), "{seen} is not in:\n{text}");
        }

        // Without a token it is refused: so it is the token from the page that is let in.
        page.try_out("stop_device_dispense").await?;
        page.enter("[data-param-name='patient_id'] input", between(stop, "/patients/", "/")).await?;
        page.enter("[data-param-name='id'] input", between(stop, "/device_dispenses/", "/")).await?;
        let (status, body) = page.execute().await?;
        assert!(status.starts_with("401"), "{status} {body}");
        page.click(".btn-clear").await?;
        page.authorize(between(stop, "Bearer ", "'"), None).await?;
        let (status, body) = page.execute().await?;
        assert!(status.starts_with("200") && body.contains(r#""status": "stopped""#), "{status} {body}");

        page.open().await?;
        page.authorize(between(update, "Bearer ", "'"), Some(between(update, "api-key: ", "'"))).await?;
        page.try_out("update_contract_division").await?;
        page.enter("[data-param-name='id'] input", between(update, "/contract_divisions/", "'")).await?;
        page.enter("textarea.body-param__text", between(update, "-d '", "'")).await?;
        let (status, body) = page.execute().await?;
        assert!(status.starts_with("200") && body.contains(r#""division_id""#), "{status} {body}");

        let requests = page.requests().await?;
        let bundle = format!("{}/docs/swagger-ui-bundle.js", demo.base);
        assert!(requests.contains(&bundle), "{requests:#?}");
        for url in &requests {
            let own = url.strip_prefix(&demo.base).is_some_and(|path| path.starts_with('/'));
            // What never reaches a network: pictures in the style sheet, and the browser's own first page.
            let local = ["data:", "about:", "chrome:"].iter().any(|scheme| url.starts_with(scheme));
            assert!(own || local, "a request to {url}");
        }
        // What the content security policy forbids is told here, as is a mistake in a script.
        let complaints = page.driver.browser_log().await?;
        let complaints: Vec<_> =
            complaints.iter().filter(|entry| !entry.message.contains("with a status of 401")).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        Ok(())
    };
    let driver = session(&browser).await;
    let outcome: WebDriverResult<()> = check(Page { driver: &driver, base: &demo.base }).await;
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
