//! A connection pooler before a PostgreSQL server.

use std::{
    ffi::OsString,
    fs,
    net::TcpStream,
    os::unix::fs::chown,
    path::{Path, PathBuf},
};

use super::{
    error::ServerError, fetch::find_or_install, find::on_path, port::ReservedPort,
    postgres_programs::server_user, process::Launch, service::Service,
};

/// PgBouncer, which lets everybody in, to every database of a server on 127.0.0.1. Killed when dropped.
#[derive(Debug)]
pub struct PgBouncer {
    _service: Service,
    port: ReservedPort,
}

impl PgBouncer {
    /// Starts it before the server on that port, with a mode of pooling: `session`, `transaction` or `statement`.
    ///
    /// # Errors
    /// When there is no such program and none can be installed, or it does not start.
    pub fn start(server_port: u16, pool_mode: &str) -> Result<Self, ServerError> {
        // Debian keeps it where only administrators look.
        let look = || {
            let installed = Some(PathBuf::from("/usr/sbin/pgbouncer")).filter(|path| path.exists());
            on_path("pgbouncer").into_iter().next().or(installed)
        };
        let program = find_or_install(look, "pgbouncer", "no pgbouncer: looked on PATH and in /usr/sbin")?;
        let mut service = Service::new("pgbouncer")?;
        let (dir, user, port) = (service.dir().to_path_buf(), server_user()?, ReservedPort::new()?);
        let (settings, users) = (dir.join("pgbouncer.ini"), dir.join("users"));
        let content = format!(
            "[databases]\n* = host=127.0.0.1 port={server_port}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\n\
             auth_type = trust\nauth_file = {}\nunix_socket_dir =\npool_mode = {pool_mode}\n",
            port.number(),
            users.display()
        );
        write(&settings, &content)?;
        write(&users, "\"postgres\" \"\"\n")?;
        if let Some(user) = user {
            for path in [&dir, &settings, &users] {
                chown(path, Some(user.uid), Some(user.gid)).map_err(|error| {
                    ServerError::io(format_args!("cannot give away {}", path.display()), &error)
                })?;
            }
        }
        let launch = Launch {
            program,
            args: vec![OsString::from(&settings)],
            user,
            environment: Vec::new(),
            log: dir.join("log"),
        };
        let address = port.address();
        service.start(&launch, |_| {
            TcpStream::connect(address).map(drop).map_err(|error| format!("{address}: {error}"))
        })?;
        Ok(Self { _service: service, port })
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }
}

fn write(path: &Path, content: &str) -> Result<(), ServerError> {
    fs::write(path, content)
        .map_err(|error| ServerError::io(format_args!("cannot write {}", path.display()), &error))
}
