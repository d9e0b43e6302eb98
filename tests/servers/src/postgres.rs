//! A PostgreSQL cluster of a test's own.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
};

use super::{
    error::ServerError,
    origin::Origin,
    port::ReservedPort,
    postgres_admin::PostgresAddress,
    postgres_programs::{find_server, server_user},
    process::{Launch, User},
    service::Service,
};

/// Must what was committed survive a power cut?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// Each commit reaches the disk, as in production. For tests that kill the server.
    #[default]
    On,
    /// Commits do not wait for the disk (`fsync`, `synchronous_commit`, `full_page_writes` off), and its files may be in memory: faster.
    Off,
}

/// A PostgreSQL cluster in a folder of its own, on a port of its own on 127.0.0.1 and a socket in its folder;
/// superuser `postgres`, who needs no password. Killed, and its folder removed, when dropped; when the test is
/// failing, the folder is kept and named on standard error.
#[derive(Debug)]
pub struct Postgres {
    service: Service,
    launch: Launch,
    address: PostgresAddress,
    port: ReservedPort,
}

impl Postgres {
    /// Starts a fresh cluster and waits until it takes connections.
    pub fn start(durability: Durability) -> Result<Self, ServerError> {
        Self::start_with(durability, &[])
    }

    /// The same with further settings, each `name=value` as in `postgresql.conf`; for measurements, which want a server
    /// of the size that it would have at work.
    pub fn start_with(durability: Durability, further: &[&str]) -> Result<Self, ServerError> {
        let further: Vec<String> = further.iter().copied().map(String::from).collect();
        Self::start_prepared(
            durability,
            |_, _| Ok(further),
            |_, port| format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        )
    }

    /// Starts a cluster whose folder is prepared by `prepare`, which is given the folder and the server's user and gives further settings; the
    /// superuser reaches it by the URL that `url` makes of the folder and the port.
    pub(super) fn start_prepared(
        durability: Durability,
        prepare: impl FnOnce(&Path, Option<User>) -> Result<Vec<String>, ServerError>,
        url: impl FnOnce(&Path, u16) -> String,
    ) -> Result<Self, ServerError> {
        let programs = find_server()?;
        let user = server_user()?;
        let mut service = match durability {
            Durability::On => Service::on_disk("postgres"),
            Durability::Off => Service::new("postgres"),
        }?;
        let dir = service.dir().to_path_buf();
        if let Some(user) = user {
            chown(&dir, Some(user.uid), Some(user.gid)).map_err(|error| {
                ServerError::io(format_args!("cannot give away {}", dir.display()), &error)
            })?;
        }
        let log = dir.join("log");
        let data = dir.join("data");

        let initdb = Launch {
            program: programs.join("initdb"),
            args: words(
                &["-U", "postgres", "-A", "trust", "-N", "--encoding=UTF8", "--locale=C", "-D"],
                &data,
            ),
            user,
            environment: Vec::new(),
            log: log.clone(),
        };
        service.run_to_end(&initdb)?;

        let port = ReservedPort::new()?;
        let mut args = words(&["-D"], &data);
        let further = prepare(&dir, user)?;
        for setting in settings(durability, &dir, port.number()).into_iter().chain(further) {
            args.push(OsString::from("-c"));
            args.push(OsString::from(setting));
        }
        let program = programs.join("postgres");
        let launch = Launch { program: program.clone(), args, user, environment: Vec::new(), log };
        await_ready(&mut service, &launch, &data)?;
        let address =
            PostgresAddress::of(url(&dir, port.number()), Some(&programs), Origin::Installed(program))?;
        Ok(Self { service, launch, address, port })
    }

    /// Its address, from which databases are made.
    pub fn address(&self) -> &PostgresAddress {
        &self.address
    }

    /// The URL of its database `postgres` under the superuser.
    pub fn url(&self) -> &str {
        self.address.url()
    }

    /// Makes an empty database with a random name and gives its URL.
    pub fn create_database(&self) -> Result<String, ServerError> {
        self.address.create_database()
    }

    /// Its TCP port on 127.0.0.1, the same after a restart: what a [`Proxy`](crate::proxy::Proxy) is put before.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The folder of its programs, `pg_dump` among them.
    pub fn programs(&self) -> &Path {
        self.launch.program.parent().unwrap_or(Path::new("/"))
    }

    /// The process id of the postmaster; an error while the server is stopped.
    pub fn pid(&self) -> Result<u32, ServerError> {
        Ok(self.service.running()?.pid())
    }

    /// Where the server writes its log.
    pub fn log_path(&self) -> &Path {
        &self.launch.log
    }

    /// Kills the server at once (SIGKILL), with all its processes, and waits until they are gone.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        self.service.stop()
    }

    /// Makes the server and all its processes stand still: connections stay open, nothing answers.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.service.running()?.pause()
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self) -> Result<(), ServerError> {
        self.service.running()?.resume()
    }

    /// Kills the server if it runs, starts it with the same data on the same port, and waits until it takes
    /// connections.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        let data = self.service.dir().join("data");
        await_ready(&mut self.service, &self.launch, &data)
    }
}

fn words(words: &[&str], last: &Path) -> Vec<OsString> {
    words.iter().map(OsString::from).chain([OsString::from(last)]).collect()
}

fn settings(durability: Durability, dir: &Path, port: u16) -> Vec<String> {
    let mut settings = vec![
        String::from("listen_addresses=127.0.0.1"),
        format!("port={port}"),
        format!("unix_socket_directories={}", dir.display()),
        // Many tests at once, each with a pool of its own.
        String::from("max_connections=300"),
        String::from("log_line_prefix=%m [%p] %d "),
    ];
    if durability == Durability::Off {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(String::from));
    }
    settings
}

/// Starts the server; ready when its lock file says so of this very process.
fn await_ready(service: &mut Service, launch: &Launch, data: &Path) -> Result<(), ServerError> {
    let lock_file: PathBuf = data.join("postmaster.pid");
    service.start(launch, |pid| {
        let content = fs::read_to_string(&lock_file).unwrap_or_default();
        let mut lines = content.lines();
        let ours = lines.next() == Some(pid.to_string().as_str());
        let status = lines.nth(6).map_or("starting", str::trim);
        if ours && status == "ready" { Ok(()) } else { Err(format!("its lock file says: {status}")) }
    })
}
