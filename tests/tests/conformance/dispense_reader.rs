//! A client that reads dispenses.

use esoz_auth::{Scope, Secret};
use esoz_tests::{Answer, Kind, Request, StopFixture, TestApp};
use reqwest::Method;

pub(crate) const READ: &str = "device_dispense:read";

/// A pharmacy with a dispense, and a token of its own that may read it.
pub(crate) struct Reader {
    pub(crate) app: TestApp,
    pub(crate) fixture: StopFixture,
    pub(crate) token: Secret,
}

impl Reader {
    pub(crate) async fn new(kind: Kind) -> Self {
        Self::on(TestApp::new(kind).await).await
    }

    pub(crate) async fn on(app: TestApp) -> Self {
        let fixture = StopFixture::load(&app).await;
        let token = fixture.issue(&app, |token| token.scope = Scope::parse(READ)).await;
        Self { app, fixture, token }
    }

    /// A request without a token.
    pub(crate) fn request(&self, path: &str) -> Request {
        self.app.request(Method::GET, path)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(path).token(&self.token).send().await
    }
}
