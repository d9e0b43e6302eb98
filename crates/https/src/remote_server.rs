use std::path::PathBuf;

use esoz_kernel::SecretString;
use hyper::Uri;

use crate::{Proxies, SettingsError, encrypted_address, in_range};

/// The URL of a server and the limits of requests to it. `Debug` hides the URL: it may hold a password, although such a URL is
/// refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteServer {
    /// The URL: `https://…`, without user, password or fragment. Each adapter states what it must point to.
    pub url: SecretString,
    /// The time limit of a whole request in milliseconds, from connecting to the last byte of the response. 1 to 60 000.
    pub timeout_ms: u64,
    /// The maximum size of a response body, in bytes. 1 to 16 777 216.
    pub max_answer_bytes: usize,
    /// The maximum number of concurrent requests; further ones wait, within their own time limit. 1 to 1 024.
    pub max_concurrent_requests: usize,
    /// Allows `http://` to a host other than this machine. The network then can read requests and forge answers.
    pub allow_plain_http: bool,
    /// A PEM file with the certificate authorities to trust, in place of those of the platform. Read once, at the start.
    pub root_certificate_file: Option<PathBuf>,
    /// The proxies on the way.
    pub proxies: Proxies,
}

impl RemoteServer {
    /// Creates settings with the defaults: 3 s a request, 64 KiB a response, 64 concurrent requests, https only, the platform's authorities.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: SecretString::new(url),
            timeout_ms: 3_000,
            max_answer_bytes: 65_536,
            max_concurrent_requests: 64,
            allow_plain_http: false,
            root_certificate_file: None,
            proxies: Proxies::default(),
        }
    }

    /// Checks every setting and returns the URL.
    pub(crate) fn checked(&self) -> Result<Uri, SettingsError> {
        in_range("timeout_ms", self.timeout_ms, 1, 60_000)?;
        in_range("max_answer_bytes", self.max_answer_bytes, 1, 16 * 1_024 * 1_024)?;
        in_range("max_concurrent_requests", self.max_concurrent_requests, 1, 1_024)?;
        encrypted_address("url", self.url.expose(), self.allow_plain_http)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(server: RemoteServer) -> &'static str {
        server.checked().unwrap_err().setting()
    }

    #[test]
    fn https_is_required_unless_the_host_is_this_machine_or_plain_http_is_allowed() {
        for url in
            ["http://issuer.example/", "http://10.0.0.1/", "http://127.0.0.1.example/", "http://[::2]/"]
        {
            let server = RemoteServer::new(url);
            assert_eq!(refusal(server.clone()), "url", "{url}");
            assert!(RemoteServer { allow_plain_http: true, ..server }.checked().is_ok(), "{url}");
        }
        for url in
            ["https://issuer.example/", "http://localhost:1/", "http://127.0.0.1/", "http://[::1]:8080/x"]
        {
            assert!(RemoteServer::new(url).checked().is_ok(), "{url}");
        }
    }

    #[test]
    fn an_address_that_is_none_or_carries_a_password_is_refused() {
        assert_eq!(refusal(RemoteServer::new("issuer.example")), "url");
        let server = RemoteServer::new("https://me:canary@issuer.example/");
        let error = server.checked().unwrap_err();
        assert!(!format!("{error} {error:?} {server:?}").contains("canary"));
        assert_eq!(refusal(RemoteServer::new("https://issuer.example/keys#1")), "url");
    }

    #[test]
    fn every_limit_has_its_range() {
        let server = || RemoteServer::new("https://issuer.example/");
        assert_eq!(refusal(RemoteServer { timeout_ms: 0, ..server() }), "timeout_ms");
        assert_eq!(refusal(RemoteServer { timeout_ms: 60_001, ..server() }), "timeout_ms");
        assert_eq!(refusal(RemoteServer { max_answer_bytes: 0, ..server() }), "max_answer_bytes");
        assert_eq!(refusal(RemoteServer { max_answer_bytes: 16_777_217, ..server() }), "max_answer_bytes");
        assert_eq!(
            refusal(RemoteServer { max_concurrent_requests: 0, ..server() }),
            "max_concurrent_requests"
        );
    }
}
