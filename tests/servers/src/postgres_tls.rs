//! A PostgreSQL cluster that takes TLS.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use super::{
    certificates::{Authority, Issued},
    error::ServerError,
    postgres::{Durability, Postgres},
    postgres_admin::PostgresAddress,
    process::User,
};

/// A cluster that takes TLS, and whose superuser comes in over its socket. Who may come in over TCP is said in the words of `pg_hba.conf`.
#[derive(Debug)]
pub struct PostgresTls {
    server: Postgres,
    folder: PathBuf,
}

/// How the user `esoz_tls` reaches a database.
#[derive(Debug, Clone)]
pub struct OverTls {
    /// The URL, with `sslmode=verify-full`.
    pub url: String,
    /// The PEM file of the authority to trust.
    pub root_file: PathBuf,
    /// The PEM file of the certificate to show.
    pub certificate: PathBuf,
    /// That of its private key.
    pub private_key: PathBuf,
}

impl OverTls {
    pub(super) fn new(dir: &Path, place: &str) -> Self {
        Self {
            url: format!("postgres://{TLS_USER}@{place}?sslmode=verify-full"),
            root_file: dir.join("authority.pem"),
            certificate: dir.join(format!("{TLS_USER}.pem")),
            private_key: dir.join(format!("{TLS_USER}-key.pem")),
        }
    }
}

/// Who comes in by TLS and a certificate alone, on the shared server.
const TLS_USER: &str = "esoz_tls";

/// The shared server, which takes all but [`TLS_USER`] as they come.
#[derive(Debug)]
pub(super) struct SharedPostgres {
    _server: PostgresTls,
    address: PostgresAddress,
    _authority: Authority,
}

impl SharedPostgres {
    pub(super) fn start() -> Result<Self, ServerError> {
        let authority = Authority::new()?;
        let shown = authority.issue(&["127.0.0.1"])?;
        authority.issue(&[TLS_USER])?;
        let hba = format!(
            "hostnossl all {TLS_USER} all reject\nhostssl all {TLS_USER} all cert\nhost all all 127.0.0.1/32 trust"
        );
        let over_tcp = |_: &Path, port| format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let server = PostgresTls::start_reached(&authority, &shown, &hba, over_tcp)?;
        let address = server.server.address().clone().with_tls(authority.dir().to_owned());
        address.query(&format!("create role {TLS_USER} login superuser"))?;
        Ok(Self { _server: server, address, _authority: authority })
    }

    pub(super) fn address(&self) -> &PostgresAddress {
        &self.address
    }
}

impl PostgresTls {
    /// Starts a fresh cluster that shows this certificate and asks for those of this authority, e.g. with
    /// `hostssl all all 127.0.0.1/32 trust clientcert=verify-full`.
    pub fn start(authority: &Authority, shown: &Issued, hba: &str) -> Result<Self, ServerError> {
        let over_socket = |dir: &Path, port: u16| {
            let dir = dir.display().to_string().replace('/', "%2F");
            format!("postgres://postgres@{dir}:{port}/postgres")
        };
        Self::start_reached(authority, shown, hba, over_socket)
    }

    /// The same, whose superuser comes in by the URL that `url` makes of its folder and its port.
    fn start_reached(
        authority: &Authority,
        shown: &Issued,
        hba: &str,
        url: impl FnOnce(&Path, u16) -> String,
    ) -> Result<Self, ServerError> {
        let mut folder = PathBuf::new();
        let prepare = |dir: &Path, user: Option<User>| {
            dir.clone_into(&mut folder);
            let give = |from: &Path, name: &str| {
                let to = dir.join(name);
                let copied = fs::copy(from, &to).and_then(|_| protect(&to, user));
                copied
                    .map_err(|error| ServerError::io(format_args!("cannot make {}", to.display()), &error))?;
                Ok(to.display().to_string())
            };
            let hba_file = dir.join("hba");
            fs::write(&hba_file, format!("local all all trust\n{hba}\n"))
                .and_then(|()| protect(&hba_file, user))
                .map_err(|error| {
                    ServerError::io(format_args!("cannot make {}", hba_file.display()), &error)
                })?;
            Ok(vec![
                String::from("ssl=on"),
                format!("ssl_cert_file={}", give(&shown.certificate, "certificate.pem")?),
                format!("ssl_key_file={}", give(&shown.private_key, "key.pem")?),
                format!("ssl_ca_file={}", give(&authority.root_file(), "authority.pem")?),
                format!("hba_file={}", hba_file.display()),
            ])
        };
        let server = Postgres::start_prepared(Durability::Off, prepare, url)?;
        Ok(Self { server, folder })
    }

    /// The server, whose URLs lead over its socket.
    pub fn server(&self) -> &Postgres {
        &self.server
    }

    /// The URL of a database over TCP, at this host, for this `user` or `user:password`.
    pub fn over_tcp(&self, url: &str, host: &str, login: &str) -> String {
        let database = url.rsplit('/').next().unwrap_or_default();
        format!("postgres://{login}@{host}:{}/{database}", self.server.port())
    }

    /// Shows another certificate to new connections.
    pub fn show(&self, shown: &Issued) -> Result<(), ServerError> {
        for (from, name) in [(&shown.certificate, "certificate.pem"), (&shown.private_key, "key.pem")] {
            // Into the files as they are: their owner stays.
            let replaced = fs::read(from).and_then(|content| fs::write(self.folder.join(name), content));
            replaced.map_err(|error| ServerError::io(format_args!("cannot replace {name}"), &error))?;
        }
        self.server.address().query("select pg_reload_conf()").map(drop)
    }
}

/// PostgreSQL refuses a key that others can read.
fn protect(path: &Path, user: Option<User>) -> std::io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    user.map_or(Ok(()), |user| chown(path, Some(user.uid), Some(user.gid)))
}
