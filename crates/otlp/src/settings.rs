use std::path::PathBuf;

use esoz_https::{Proxies, SettingsError, address};
use esoz_tls::{Transport, is_this_machine};
use hyper::Uri;

/// Settings of the export.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpSettings {
    /// The URL that accepts spans, with its path: `https://collector:4318/v1/traces`, or `http://…`.
    pub endpoint: String,
    /// The time limit of one delivery, in milliseconds.
    pub timeout_ms: u64,
    /// The ratio of sampled traces among those that begin here, from 0 (none) to 1 (all).
    pub sample_ratio: f64,
    /// The resource attribute `service.name`.
    pub service_name: String,
    /// The resource attribute `service.version`.
    pub service_version: String,
    /// A PEM file with the certificate authorities to trust, in place of those of the platform. Read once, at the start.
    pub root_certificate_file: Option<PathBuf>,
    /// The proxies on the way.
    pub proxies: Proxies,
}

impl OtlpSettings {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting that cannot be used.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.uri().map(drop)
    }

    /// The URL, every setting checked.
    fn uri(&self) -> Result<Uri, SettingsError> {
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            let reason = format!("must be from 0 to 1, not {}", self.sample_ratio);
            return Err(SettingsError::new("sample_ratio", reason));
        }
        if self.service_name.is_empty() {
            return Err(SettingsError::new("service_name", "must not be empty"));
        }
        let uri = address("endpoint", &self.endpoint)?;
        if uri.path() == "/" {
            let reason = "must have a path as well; of most collectors it is /v1/traces";
            return Err(SettingsError::new("endpoint", reason));
        }
        Ok(uri)
    }

    /// How spans are sent. They hold no patient and no secret, but who does what, and when; a header may hold the collector's token.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn transport(&self) -> Result<Transport, SettingsError> {
        let uri = self.uri()?;
        Ok(match uri.scheme_str() {
            _ if uri.host().is_some_and(is_this_machine) => Transport::Local,
            Some("https") => Transport::Verified,
            _ => Transport::Weak("http: nothing is encrypted, a token in a header neither"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named() {
        let sound = || OtlpSettings {
            proxies: Proxies::default(),
            endpoint: "http://collector:4318/v1/traces".to_owned(),
            timeout_ms: 1,
            sample_ratio: 1.0,
            service_name: "esoz".to_owned(),
            service_version: String::new(),
            root_certificate_file: None,
        };
        sound().check().unwrap();
        let at = |endpoint: &str| OtlpSettings { endpoint: endpoint.to_owned(), ..sound() };
        for (endpoint, expected) in [
            ("http://localhost:4318/v1/traces", Transport::Local),
            ("http://[::1]:4318/v1/traces", Transport::Local),
            ("https://collector:4318/v1/traces", Transport::Verified),
            (
                "http://collector:4318/v1/traces",
                Transport::Weak("http: nothing is encrypted, a token in a header neither"),
            ),
        ] {
            assert_eq!(at(endpoint).transport().unwrap(), expected, "{endpoint}");
        }
        for (settings, named) in [
            (at("collector:4318"), "endpoint"),
            (at("http://collector:4318/v1/traces#secret"), "endpoint"),
            (at("http://user:secret@collector/v1/traces"), "endpoint"),
            (at("http://collector:4318"), "endpoint"),
            (OtlpSettings { sample_ratio: 1.1, ..sound() }, "sample_ratio"),
            (OtlpSettings { sample_ratio: f64::NAN, ..sound() }, "sample_ratio"),
            (OtlpSettings { service_name: String::new(), ..sound() }, "service_name"),
        ] {
            let refused = settings.check().unwrap_err();
            assert_eq!(refused.setting(), named, "{refused}");
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
    }
}
