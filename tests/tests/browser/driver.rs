//! A session of a real browser, with what a person does in it.

use std::path::PathBuf;
use std::time::Duration;

use esoz_test_servers::Browser;
use esoz_tests::DEADLINE;
use serde_json::{Value, json};
use thirtyfour::error::WebDriverResult;
use thirtyfour::extensions::query::ElementQueryable as _;
use thirtyfour::{
    By, ChromeCapabilities, ChromiumLikeCapabilities as _, Key, LoggingPrefsLogLevel, WebDriver, WebElement,
};

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The sizes and colour schemes that the pages are made for.
pub(crate) const SCREENS: [(u32, &str); 4] = [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")];

/// Complaints that mean nothing: refusals on purpose, and what Swagger UI says of each link to an operation with `_` in its name.
const IGNORED: [&str; 2] = ["with a status of 4", "escaping deep link whitespace with `_`"];

/// The folder that pictures are written to; the variable's value is one.
const SCREENSHOTS: &str = "SCREENSHOTS";

pub(crate) async fn session(browser: &Browser) -> WebDriver {
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

/// A page of one server.
pub(crate) struct Page<'a> {
    pub(crate) driver: &'a WebDriver,
    pub(crate) driver_url: &'a str,
    pub(crate) base: &'a str,
}

impl Page<'_> {
    /// Opens a path afresh.
    pub(crate) async fn open(&self, path: &str) -> WebDriverResult<()> {
        self.driver.goto("about:blank").await?;
        self.driver.goto(format!("{}{path}", self.base)).await
    }

    pub(crate) async fn find(&self, css: &str) -> WebDriverResult<WebElement> {
        self.driver.query(By::Css(css)).wait(DEADLINE, LOOK_EVERY).and_displayed().first().await
    }

    pub(crate) async fn click(&self, css: &str) -> WebDriverResult<()> {
        self.find(css).await?.click().await
    }

    pub(crate) async fn enter(&self, css: &str, text: &str) -> WebDriverResult<()> {
        let field = self.find(css).await?;
        field.send_keys(Key::Control + "a").await?;
        field.send_keys(text).await
    }

    /// The text that is seen, without the invisible characters that let long paths break.
    pub(crate) async fn text(&self) -> WebDriverResult<String> {
        Ok(self.find("body").await?.text().await?.replace('\u{200b}', ""))
    }

    /// Gives the browser a command of the Chrome DevTools Protocol, by way of its driver.
    async fn command(&self, name: &str, parameters: Value) {
        let session = self.driver.handle();
        let url = format!("{}/session/{}/goog/cdp/execute", self.driver_url, session.session_id());
        let command = json!({"cmd": name, "params": parameters});
        let answer = reqwest::Client::new().post(url).json(&command).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}: {:?}", answer.text().await);
    }

    /// Gives the page that width and colour scheme.
    pub(crate) async fn screen(&self, (width, scheme): (u32, &str)) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", size).await;
        self.command("Emulation.setScrollbarsHidden", json!({"hidden": true})).await;
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", scheme).await;
    }

    /// Turns JavaScript off.
    pub(crate) async fn disable_scripts(&self) {
        self.command("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    }

    /// Holds the page to its width, and takes its picture where that is asked for.
    pub(crate) async fn assert_fits(&self, name: &str, (width, scheme): (u32, &str)) -> WebDriverResult<()> {
        let widest = self.driver.execute("return document.documentElement.scrollWidth", vec![]).await?;
        assert_eq!(widest.convert::<u32>()?, width, "{name} {scheme}");
        if let Some(folder) = std::env::var_os(SCREENSHOTS) {
            let picture = self.driver.screenshot_as_png().await?;
            let file = PathBuf::from(folder).join(format!("{name}-{width}-{scheme}.png"));
            std::fs::write(file, picture).unwrap();
        }
        Ok(())
    }

    /// Where the browser sent requests until now.
    pub(crate) async fn requests(&self) -> WebDriverResult<Vec<String>> {
        let entries = self.driver.get_log("performance").await?;
        let events = entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.message).unwrap());
        let sent = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        Ok(sent
            .map(|event| event["message"]["params"]["request"]["url"].as_str().unwrap().to_owned())
            .collect())
    }

    /// Holds the session to its own server, and to no complaint but of refused requests: what the content security policy forbids is one, as is a
    /// mistake in a script.
    pub(crate) async fn assert_clean(&self) -> WebDriverResult<()> {
        for url in self.requests().await? {
            let own = url.strip_prefix(self.base).is_some_and(|path| path.starts_with('/'));
            // What never reaches a network: pictures in the style sheet, and the browser's own first page.
            let local = ["data:", "about:", "chrome:"].iter().any(|scheme| url.starts_with(scheme));
            assert!(own || local, "a request to {url}");
        }
        let complaints = self.driver.browser_log().await?;
        let complaints: Vec<_> = complaints
            .iter()
            .filter(|entry| !IGNORED.iter().any(|text| entry.message.contains(text)))
            .collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        Ok(())
    }
}
