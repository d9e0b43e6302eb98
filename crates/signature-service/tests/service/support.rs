//! The adapter on a server of the tests' own.

use std::time::Duration;

use esoz_https::RemoteServer;
use esoz_kernel::StoreErrorKind;
use esoz_signature_service::ServiceVerifier;
use esoz_signed_content::{Container, SignatureVerifier as _};

#[path = "../../../auth-remote/tests/remote/support/log.rs"]
mod log;
#[path = "../../../auth-remote/tests/remote/support/server.rs"]
#[expect(dead_code, reason = "other tests ask other things of it")]
mod server;

pub(crate) use self::log::Log;
pub(crate) use self::server::{Reply, TestServer};

/// Longer than anything takes that is going to happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) const CONTAINER: &[u8] = b"\x30\x80canary";

pub(crate) fn settings(server: &TestServer) -> RemoteServer {
    ServiceVerifier::settings(server.url("/digital_signatures"))
}

pub(crate) async fn verify(
    settings: &RemoteServer,
) -> Result<Result<Container, &'static str>, StoreErrorKind> {
    let verifier = ServiceVerifier::try_new(settings).unwrap();
    let outcome = tokio::time::timeout(DEADLINE, verifier.verify(CONTAINER)).await.unwrap();
    outcome.map_err(|error| {
        let told = format!("{} {error:?}", error.with_causes());
        assert!(!told.contains("canary") && told.contains("asking http://"), "{told}");
        error.kind()
    })
}

/// What becomes of a container about which a service replies so.
pub(crate) async fn verified(reply: Reply) -> Result<Result<Container, &'static str>, StoreErrorKind> {
    let server = TestServer::start(reply).await;
    let verified = verify(&settings(&server)).await;
    assert_eq!(server.requests(), 1);
    verified
}
