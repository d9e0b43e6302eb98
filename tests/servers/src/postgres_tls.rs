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
    process::User,
};

/// A cluster that takes TLS, and whose superuser comes in over its socket. Who may come in over TCP is said in the words of `pg_hba.conf`.
#[derive(Debug)]
pub struct PostgresTls {
    server: Postgres,
    folder: PathBuf,
}

impl PostgresTls {
    /// Starts a fresh cluster that shows this certificate and asks for those of this authority, e.g. with
    /// `hostssl all all 127.0.0.1/32 trust clientcert=verify-full`.
    pub fn start(authority: &Authority, shown: &Issued, hba: &str) -> Result<Self, ServerError> {
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
        let over_socket = |dir: &Path, port: u16| {
            let dir = dir.display().to_string().replace('/', "%2F");
            format!("postgres://postgres@{dir}:{port}/postgres")
        };
        let server = Postgres::start_prepared(Durability::Off, prepare, over_socket)?;
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
