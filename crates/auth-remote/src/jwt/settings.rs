use esoz_https::{RemoteServer, SettingsError, in_range, not_empty};

use super::Algorithm;

/// Settings of the issuer, of the accepted tokens and of the key cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSettings {
    /// The URL of the issuer's signing keys (its `jwks_uri`).
    pub server: RemoteServer,
    /// The issuer, exactly as in the `iss` of its tokens.
    pub issuer: String,
    /// The audience name of this service in `aud`.
    pub audience: String,
    /// The accepted signature algorithms.
    pub algorithms: Vec<Algorithm>,
    /// The clock skew: a token whose `nbf` or `iat` is further ahead of our clock is refused. In seconds, at most 300. Expiry has no
    /// leeway.
    pub leeway_s: u32,
    /// The age at which the keys are refreshed, in seconds: how long a key that the issuer withdrew is still accepted.
    /// 1 to 86 400.
    pub refresh_after_s: u32,
    /// The minimum time between two fetches of the keys, in seconds, however many tokens have unknown key ids. 1 up to
    /// [`JwtSettings::refresh_after_s`].
    pub min_refresh_interval_s: u32,
    /// The time after [`JwtSettings::refresh_after_s`] for which stale keys are still used while fetching new ones fails, in
    /// seconds; then every lookup fails as unavailable. At most 86 400; 0 disables stale keys.
    pub max_stale_s: u32,
}

impl JwtSettings {
    /// Creates settings with the defaults: [`Algorithm::DEFAULT`], 5 s of leeway, keys refreshed every 300 s, at most every 30 s, and used
    /// for 3 600 s more while the issuer is down.
    pub fn new(server: RemoteServer, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            server,
            issuer: issuer.into(),
            audience: audience.into(),
            algorithms: Algorithm::DEFAULT.to_vec(),
            leeway_s: 5,
            refresh_after_s: 300,
            min_refresh_interval_s: 30,
            max_stale_s: 3_600,
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        not_empty("issuer", &self.issuer)?;
        not_empty("audience", &self.audience)?;
        if self.algorithms.is_empty() {
            return Err(SettingsError::new("algorithms", "must name at least one"));
        }
        in_range("leeway_s", self.leeway_s, 0, 300)?;
        in_range("refresh_after_s", self.refresh_after_s, 1, 86_400)?;
        in_range("min_refresh_interval_s", self.min_refresh_interval_s, 1, self.refresh_after_s)?;
        in_range("max_stale_s", self.max_stale_s, 0, 86_400)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_checked() {
        let settings =
            || JwtSettings::new(RemoteServer::new("https://i.example/keys"), "https://i.example", "esoz");
        assert_eq!(settings().check(), Ok(()));
        for (setting, settings) in [
            ("issuer", JwtSettings { issuer: String::new(), ..settings() }),
            ("audience", JwtSettings { audience: " ".to_owned(), ..settings() }),
            ("algorithms", JwtSettings { algorithms: Vec::new(), ..settings() }),
            ("leeway_s", JwtSettings { leeway_s: 301, ..settings() }),
            ("refresh_after_s", JwtSettings { refresh_after_s: 0, ..settings() }),
            ("refresh_after_s", JwtSettings { refresh_after_s: 86_401, ..settings() }),
            ("min_refresh_interval_s", JwtSettings { min_refresh_interval_s: 0, ..settings() }),
            ("min_refresh_interval_s", JwtSettings { min_refresh_interval_s: 301, ..settings() }),
            ("max_stale_s", JwtSettings { max_stale_s: 86_401, ..settings() }),
        ] {
            assert_eq!(settings.check().unwrap_err().setting(), setting);
        }
    }
}
