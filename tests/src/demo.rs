//! A running `esoz demo`, and what it printed.

use tempfile::TempDir;

use esoz_testkit::wait::wait_for_blocking;

use crate::process::Process;
use crate::test_app::DEADLINE;

/// What a demo printed, as a person picks it out of there.
pub struct Demo {
    /// Its process.
    pub process: Process,
    _folder: TempDir,
    /// Where it is: `http://host:port`.
    pub base: String,
    /// The printed requests that are one command, in their order: the first stops a dispense, the second updates a contract division.
    pub requests: Vec<String>,
}

impl Demo {
    /// Starts one on a folder of its own, with those variables.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().chain(&[("ESOZ_HTTP__BIND", "127.0.0.1:0")]);
        let variables: Vec<_> =
            variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let folder = tempfile::tempdir().unwrap();
        let process = Process::start(&variables, &["demo", "--folder", folder.path().to_str().unwrap()]);
        let printed = wait_for_blocking("the demo", DEADLINE, || {
            let text = process.stdout().join("\n");
            text.contains("every setting").then_some(text).ok_or_else(|| process.stderr().join("\n"))
        });
        let base = between(&printed, "listening on ", ";").to_owned();
        for page in [format!("Open {base}/ in a browser"), format!("{base}/docs")] {
            assert!(printed.contains(&page), "{printed}");
        }
        let requests =
            printed.split("\n\n").filter(|part| part.starts_with("curl ")).map(str::to_owned).collect();
        Self { process, _folder: folder, base, requests }
    }

    /// Sends the first printed request, which stops a dispense, by that request id; gives its status.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn stop(&self, request_id: &str) -> u16 {
        let stop = &self.requests[0];
        let url = between(stop, "PATCH '", "'");
        let request = reqwest::Client::new().patch(url).bearer_auth(between(stop, "Bearer ", "'"));
        request.header("x-request-id", request_id).send().await.unwrap().status().as_u16()
    }
}

/// The text between two others.
///
/// # Panics
/// When they are not there.
pub fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).and_then(|(_, rest)| rest.split_once(end)).expect(text).0
}
