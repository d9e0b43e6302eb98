//! The request inspector at `/`.

use esoz_tests::demo::{Demo, between};
use thirtyfour::extensions::query::ElementQueryable as _;
use thirtyfour::{By, WebDriver};

use crate::driver::SCREENS;
use crate::in_browser;

/// The statuses of the requests that are shown, the newest first.
async fn statuses(driver: &WebDriver) -> Vec<String> {
    let cells = driver.query(By::Css("#requests tbody td:nth-child(2)")).all_from_selector().await.unwrap();
    let mut statuses = Vec::new();
    for cell in cells {
        statuses.push(cell.text().await.unwrap());
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_appears_by_itself_at_every_size_and_in_every_scheme() {
    let demo = Demo::start(&[]);
    in_browser(&demo.base, async |page| {
        page.open("/").await?;
        page.find("#state.live").await?;
        assert_eq!(demo.stop("the-request-that-stops-it").await, 200);
        page.find("#requests tr.ok").await?;
        page.find("#events time").await?;
        assert_eq!(demo.stop("the-request-that-is-refused").await, 409);
        let refused = page.find("#requests tr.refused").await?.text().await?;
        for part in
            ["409", "Device dispense in status stopped cannot be stopped", "the-request-that-is-refused"]
        {
            assert!(refused.contains(part), "{part} is not in {refused}");
        }
        let list = format!("{}/api/device_dispenses?status=ended&page=0", demo.base);
        let token = between(&demo.requests[0], "Bearer ", "'");
        let answer = reqwest::Client::new().get(list).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 422);
        let faults = page.find("#requests li").await?.text().await?;
        assert!(faults.starts_with("$.status "), "{faults}");
        assert_eq!(statuses(page.driver).await, ["422", "409", "200"]);
        for screen in SCREENS {
            page.screen(screen).await;
            page.open("/").await?;
            page.find("#state.live").await?;
            page.find("#samples button").await?;
            page.assert_fits("inspector", screen).await?;
        }
        page.assert_clean().await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_the_page_is_as_of_its_last_load() {
    let demo = Demo::start(&[]);
    in_browser(&demo.base, async |page| {
        page.disable_scripts().await;
        assert_eq!(demo.stop("the-request-that-stops-it").await, 200);
        page.open("/").await?;
        assert_eq!(statuses(page.driver).await, ["200"]);
        let text = page.text().await?;
        assert!(text.contains("without JavaScript the page reloads every 10 seconds"), "{text}");
        assert_eq!(demo.stop("the-request-that-is-refused").await, 409);
        // By itself.
        page.find("#requests tr.refused").await?;
        Ok(())
    })
    .await;
}
