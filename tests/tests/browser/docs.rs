//! The API reference at `/docs`.

use esoz_tests::PATIENT_KEY;
use esoz_tests::demo::Demo;
use esoz_tests::process::Process;
use serde_json::Value;
use thirtyfour::error::WebDriverResult;

use crate::driver::{Page, SCREENS};
use crate::in_browser;

impl Page<'_> {
    /// Opens an operation, by its place in the page.
    async fn open_operation(&self, group: &str, operation: &str) -> WebDriverResult<()> {
        self.open(&format!("/docs#/{group}/{operation}")).await?;
        self.find(&format!("[id$='-{operation}'].is-open")).await.map(drop)
    }

    /// Sends what is filled in; gives the status and the body that the page then shows.
    async fn execute(&self) -> WebDriverResult<(String, String)> {
        self.click(".btn.execute").await?;
        let status = self.find(".live-responses-table .response .response-col_status").await?.text().await?;
        let body = self.find(".live-responses-table .response .highlight-code").await?.text().await?;
        Ok((status, body))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_demo_each_operation_is_ready_to_press() {
    let demo = Demo::start(&[]);
    in_browser(&demo.base, async |page| {
        // As a person comes from the page at `/`.
        page.open("/").await?;
        page.click("aside li a").await?;
        let (status, body) = page.execute().await?;
        assert!(status.starts_with("200") && body.contains(r#""status": "stopped""#), "{status} {body}");
        let text = page.text().await?;
        for seen in [
            "stop_device_dispense",
            "Wants an access token with the scope device_dispense:stop; patient_id, id in the path; a JSON body or none.",
            "Answers 200 The dispense after the change.",
            "Refuses with 400 401 403 404",
        ] {
            assert!(text.contains(seen), "{seen} is not in:\n{text}");
        }
        // Tokens that were filled in are not kept: after a restart of the demo they would be dead.
        let kept = page.driver.execute("return localStorage.getItem('authorized')", vec![]).await?;
        assert_eq!(*kept.json(), Value::Null);
        page.driver.refresh().await?;
        let (status, body) = page.execute().await?;
        assert!(status.starts_with("409") && body.contains("cannot be stopped"), "{status} {body}");
        for (group, operation, code) in [
            ("device%20dispenses", "create_device_dispense", "201"),
            ("device%20dispenses", "list_device_dispenses", "200"),
            ("contract%20divisions", "update_contract_division", "200"),
            ("contract%20divisions", "list_contract_divisions", "200"),
            ("events", "list_events", "200"),
        ] {
            page.open_operation(group, operation).await?;
            let (status, body) = page.execute().await?;
            assert!(status.starts_with(code), "{operation}: {status} {body}");
        }
        for screen in SCREENS {
            page.screen(screen).await;
            page.open_operation("device%20dispenses", "stop_device_dispense").await?;
            page.find(".btn.execute").await?;
            page.assert_fits("docs", screen).await?;
        }
        page.assert_clean().await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_nothing_is_filled_in_and_what_a_person_enters_survives_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("esoz.sqlite");
    let variables = [("ESOZ_SQLITE__PATH", path.to_str().unwrap()), ("ESOZ_PATIENT__KEY", PATIENT_KEY)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let (_server, base) = Process::serve(&variables);
    in_browser(&base, async |page| {
        page.open("/docs").await?;
        page.click(".btn.authorize").await?;
        page.enter("#auth-bearer-value", "a-token").await?;
        page.click("form:has(#auth-bearer-value) .authorize").await?;
        page.click(".auth-btn-wrapper .btn-done").await?;
        page.driver.refresh().await?;
        page.click(".btn.authorize.locked").await?;
        let text = page.text().await?;
        assert!(text.contains("Authorized") && !text.contains("a-token"), "{text}");
        page.open_operation("device%20dispenses", "stop_device_dispense").await?;
        page.click(".try-out__btn").await?;
        for (parameter, value) in [("patient_id", "1"), ("id", "2")] {
            page.enter(&format!("[data-param-name='{parameter}'] input"), value).await?;
        }
        page.assert_clean().await
    })
    .await;
}
