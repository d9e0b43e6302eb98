//! Where the database is, and how connections to it are encrypted: parsed from the URL and the files beside it.

use std::sync::Arc;
use std::time::Duration;

use esoz_kernel::{StoreError, StoreErrorKind};
use esoz_tls::{ClientTls, LastGood, SecretSource, Transport, Verification, is_this_machine};
use rustls::ClientConfig;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslNegotiation};

/// The ALPN protocol of PostgreSQL; required by servers that TLS is begun with at once.
const ALPN: &[u8] = b"postgresql";

/// How a connection is encrypted and what is checked of the server, in libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    const NAMES: [(&str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    fn parse(name: &str) -> Result<Self, StoreError> {
        let found = Self::NAMES.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, mode)| mode).ok_or_else(|| {
            let names = Self::NAMES.map(|(known, _)| known).join(", ");
            refused(format!("sslmode in the url must be one of {names}"))
        })
    }

    /// What the mode leaves open.
    fn transport(self) -> Transport {
        match self {
            Self::Disable => Transport::Weak("sslmode=disable: nothing is encrypted"),
            Self::Prefer => Transport::Weak(
                "sslmode=prefer: nothing is encrypted if the server offers no TLS, and its certificate is not checked",
            ),
            Self::Require => Transport::Weak("sslmode=require: the server's certificate is not checked"),
            Self::VerifyCa => Transport::Weak(
                "sslmode=verify-ca: any host with a certificate of that authority is believed",
            ),
            Self::VerifyFull => Transport::Verified,
        }
    }
}

/// The address of the database as it is parsed, and what its files hold.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) config: Config,
    /// How TLS is asked for, unless the connection is to be plain.
    pub(crate) tls: Option<TlsRequest>,
    pub(crate) transport: Transport,
}

/// How TLS is asked for.
#[derive(Clone)]
pub(crate) struct TlsRequest {
    pub(crate) config: Arc<ClientConfig>,
    /// Whether the connection stays plain if the server offers no TLS.
    pub(crate) is_optional: bool,
    /// Whether the handshake begins at once, without asking (PostgreSQL 17).
    pub(crate) is_direct: bool,
}

/// What an [`Endpoint`] is parsed from: its files are read again for each connection.
pub(crate) struct EndpointSource {
    url: SecretSource,
    tls: ClientTls,
    application_name: String,
    connect_timeout: Duration,
    last: LastGood<Endpoint>,
}

impl EndpointSource {
    pub(crate) fn new(
        url: SecretSource,
        tls: ClientTls,
        application_name: &str,
        connect_timeout: Duration,
    ) -> Self {
        let application_name = application_name.to_owned();
        Self { url, tls, application_name, connect_timeout, last: LastGood::default() }
    }

    /// Reads the files and parses the URL. When that fails and has succeeded before, returns what it was then.
    pub(crate) fn read(&self) -> Result<Endpoint, StoreError> {
        self.last.refresh("the address of PostgreSQL", || self.parse())
    }

    fn parse(&self) -> Result<Endpoint, StoreError> {
        let url = self.url.read().map_err(|error| refused(error.to_string()))?;
        let (config, mode) = parse_url(url.expose())?;
        let config = self.with_defaults(config, url.expose());
        let is_local = is_local(&config);
        let mode = mode.unwrap_or(match config.get_hosts() {
            #[cfg(unix)]
            [Host::Unix(_)] => SslMode::Disable,
            _ if is_local && self.tls == ClientTls::default() => SslMode::Prefer,
            _ => SslMode::VerifyFull,
        });
        let tls = self.tls(mode, config.get_ssl_negotiation() == SslNegotiation::Direct)?;
        let transport = if is_local { Transport::Local } else { self.checked(mode).transport() };
        Ok(Endpoint { config, tls, transport })
    }

    /// Adds keepalives and timeouts that the URL leaves out, so that a dead network is detected within about 20 seconds on an idle connection and 10
    /// on one that sends.
    fn with_defaults(&self, mut config: Config, url: &str) -> Config {
        config.application_name(&self.application_name);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(self.connect_timeout);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(10));
        }
        let leaves_out = |parameter: &str| !url.contains(parameter);
        if leaves_out("keepalives_idle=") {
            config.keepalives_idle(Duration::from_secs(10));
        }
        if leaves_out("keepalives_interval=") {
            config.keepalives_interval(Duration::from_secs(3));
        }
        if leaves_out("keepalives_retries=") {
            config.keepalives_retries(3);
        }
        config
    }

    /// What a mode checks: an authority that is named is asked, as by libpq, even if the mode does not say so.
    fn checked(&self, mode: SslMode) -> SslMode {
        match mode {
            SslMode::Require if self.tls.root_certificate_file.is_some() => SslMode::VerifyCa,
            mode => mode,
        }
    }

    fn tls(&self, mode: SslMode, is_direct: bool) -> Result<Option<TlsRequest>, StoreError> {
        let verification = match self.checked(mode) {
            SslMode::Disable if self.tls == ClientTls::default() => return Ok(None),
            SslMode::Disable | SslMode::Prefer if self.tls.root_certificate_file.is_some() => {
                return Err(refused(String::from(
                    "root_certificate_file is set, but sslmode in the url checks no certificate: say verify-full there",
                )));
            }
            SslMode::Disable => {
                return Err(refused(String::from(
                    "a client certificate is set, but sslmode=disable in the url shows none: say verify-full there",
                )));
            }
            SslMode::Prefer if is_direct => {
                return Err(refused(String::from(
                    "sslnegotiation=direct in the url needs sslmode=require or more",
                )));
            }
            SslMode::Prefer | SslMode::Require => Verification::None,
            SslMode::VerifyCa => Verification::Authority,
            SslMode::VerifyFull => Verification::AuthorityAndHost,
        };
        let mut config = self.tls.config(verification).map_err(|error| refused(error.to_string()))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Some(TlsRequest { config: Arc::new(config), is_optional: mode == SslMode::Prefer, is_direct }))
    }
}

/// Parses a URL, and its `sslmode`, of which the driver knows three of the five.
fn parse_url(url: &str) -> Result<(Config, Option<SslMode>), StoreError> {
    let (url, mode) = without_ssl_mode(url);
    for (parameter, setting) in [
        ("sslrootcert=", "root_certificate_file"),
        ("sslcert=", "client_certificate_file"),
        ("sslkey=", "client_private_key_file"),
    ] {
        if url.split(['?', '&', ' ']).any(|part| part.starts_with(parameter)) {
            return Err(refused(format!("the url sets {parameter}…: name the file in {setting} instead")));
        }
    }
    let config: Config =
        url.parse().map_err(|error| refused(String::from("the url is malformed")).because(error))?;
    if !has_usable_hosts(&config) {
        return Err(refused(String::from(
            "the url must name one or more hosts by name or address, or the folder of one Unix socket",
        )));
    }
    Ok((config, mode.as_deref().map(SslMode::parse).transpose()?))
}

/// Takes the parameter `sslmode` out of a URL, or of a text of the form `host=… sslmode=…`.
fn without_ssl_mode(url: &str) -> (String, Option<String>) {
    // A password in front of the host may hold a question mark, a parameter an @.
    let path_at = url.find("://").and_then(|at| Some(at + 3 + url.get(at + 3..)?.find('/')?));
    let authority = url.get(..path_at.unwrap_or(url.len())).unwrap_or_default();
    let host_at = authority.find('@').unwrap_or_default();
    let query = url.contains("://").then(|| url.get(host_at..)?.find('?')).flatten();
    let (head, parameters, separator) = match query.map(|at| url.split_at(host_at + at + 1)) {
        Some((head, parameters)) => (head, parameters, "&"),
        None if url.contains("://") => return (url.to_owned(), None),
        None => ("", url, " "),
    };
    let mut mode = None;
    let others = parameters.split(separator).filter(|part| {
        let value = part.strip_prefix("sslmode=");
        mode = value.map(str::to_owned).or(mode.take());
        value.is_none()
    });
    let others: Vec<&str> = others.collect();
    (format!("{head}{}", others.join(separator)), mode)
}

/// Whether the driver can connect to these hosts: several over TCP, or one Unix socket.
fn has_usable_hosts(config: &Config) -> bool {
    match config.get_hosts() {
        [] => false,
        [_] => true,
        several => several.iter().all(|host| matches!(host, Host::Tcp(_))),
    }
}

/// Whether connections to all hosts stay on this machine.
fn is_local(config: &Config) -> bool {
    match config.get_hostaddrs() {
        [] => config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => is_this_machine(name),
            #[cfg(unix)]
            Host::Unix(_) => true,
        }),
        addresses => addresses.iter().all(std::net::IpAddr::is_loopback),
    }
}

pub(crate) fn refused(why: String) -> StoreError {
    StoreError::new(StoreErrorKind::Unexpected, format!("reading the PostgreSQL settings: {why}"))
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
