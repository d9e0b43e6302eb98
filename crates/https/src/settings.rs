use std::fmt;

use esoz_tls::is_this_machine;
use hyper::Uri;
use hyper::http::uri::Scheme;

/// A setting with a value that cannot be used. Never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {reason}")]
pub struct SettingsError {
    setting: &'static str,
    reason: String,
}

impl SettingsError {
    /// Creates the error. The reason continues the sentence that begins with the setting's name: `must not be empty`.
    pub fn new(setting: &'static str, reason: impl Into<String>) -> Self {
        Self { setting, reason: reason.into() }
    }

    /// The name of the setting.
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// The reason, without the name of the setting.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Parses a URL that requests can be sent to: absolute, `http` or `https`, without user, password or fragment.
///
/// # Errors
/// [`SettingsError`] when it is none. The error does not repeat the URL, which may hold a password.
pub fn address(setting: &'static str, text: &str) -> Result<Uri, SettingsError> {
    let refused = |reason: &str| SettingsError::new(setting, reason);
    let not_one = || refused("is not an absolute http or https address, such as https://host:port/path");
    // `Uri` would drop a fragment without an error.
    if text.contains('#') {
        return Err(refused("must have no fragment"));
    }
    let uri: Uri = text.parse().map_err(|_| not_one())?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(not_one());
    };
    if authority.as_str().contains('@') {
        return Err(refused("must have no user or password"));
    }
    if authority.host().is_empty() {
        return Err(not_one());
    }
    Ok(uri)
}

/// Parses the same, and refuses `http` to another machine unless the setting `allow_plain_http` allows it.
///
/// # Errors
/// [`SettingsError`] as [`address`] gives, and for `http` that is not allowed.
pub fn encrypted_address(
    setting: &'static str,
    text: &str,
    allow_plain_http: bool,
) -> Result<Uri, SettingsError> {
    let uri = address(setting, text)?;
    let is_plain = uri.scheme() == Some(&Scheme::HTTP);
    if is_plain && !allow_plain_http && !uri.host().is_some_and(is_this_machine) {
        let reason = "must be https, unless allow_plain_http is set or the host is this machine";
        return Err(SettingsError::new(setting, reason));
    }
    Ok(uri)
}

/// Checks that a number is within its bounds, both included.
///
/// # Errors
/// [`SettingsError`] when it is not.
pub fn in_range<N: PartialOrd + fmt::Display>(
    setting: &'static str,
    value: N,
    least: N,
    most: N,
) -> Result<(), SettingsError> {
    if least <= value && value <= most {
        Ok(())
    } else {
        Err(SettingsError::new(setting, format!("is {value}; it must be {least} to {most}")))
    }
}

/// Checks that a text has more than blanks.
///
/// # Errors
/// [`SettingsError`] when it has not.
pub fn not_empty(setting: &'static str, value: &str) -> Result<(), SettingsError> {
    if value.trim().is_empty() { Err(SettingsError::new(setting, "must not be empty")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_requests_can_go_to_is_taken_whole() {
        for text in
            ["http://collector:4318/v1/traces", "https://issuer.example/keys?of=all", "http://[::1]:1/"]
        {
            assert_eq!(address("url", text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_the_name_of_the_setting_and_nothing_is_repeated() {
        let not_one = "url is not an absolute http or https address, such as https://host:port/path";
        for (text, told) in [
            ("", not_one),
            ("canary.example", not_one),
            ("canary.example:4318", not_one),
            ("/canary", not_one),
            ("ftp://canary.example/", not_one),
            ("https://", not_one),
            ("https:///canary", not_one),
            ("https://:443/canary", not_one),
            ("https://canary:canary@issuer.example/", "url must have no user or password"),
            ("https://canary@issuer.example/", "url must have no user or password"),
            ("https://issuer.example/keys#canary", "url must have no fragment"),
        ] {
            let refused = address("url", text).unwrap_err();
            assert_eq!(refused.to_string(), told, "{text}");
            assert!(!format!("{refused:?}").contains("canary"), "{text}");
        }
    }
}
