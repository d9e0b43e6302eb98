//! A mongod of a test's own, as a one-node replica set.

use std::{
    ffi::OsString,
    fs,
    net::{SocketAddr, ToSocketAddrs},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use bson::{Document, doc};

use super::{
    certificates::{Authority, Issued},
    env,
    error::ServerError,
    mongo_program::{DATA, MongoSize, REPLICA_SET, find_program, prepare},
    mongo_wire::run_command,
    origin::Origin,
    port::ReservedPort,
    process::Launch,
    service::Service,
};

/// The answer's code when `replSetInitiate` was done before.
const ALREADY_INITIALIZED: i32 = 23;

/// The address of a MongoDB replica set.
#[derive(Debug, Clone)]
pub struct MongoAddress {
    uri: String,
    version: String,
    origin: Origin,
}

impl MongoAddress {
    /// The replica set named in the environment, if one is.
    pub(super) fn from_environment() -> Option<Self> {
        let uri = env::variable(env::MONGODB_URI)?;
        // For the summary alone; a server that wants TLS or a password tells its version to a driver only.
        let version = first_host(&uri).and_then(|address| version(address).ok());
        let version = version.unwrap_or_else(|| String::from("(version not told)"));
        Some(Self { uri, version, origin: Origin::Environment(env::MONGODB_URI) })
    }

    /// The connection string.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The server's version, as it says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where the server came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// A mongod as a one-node replica set, in a folder and on a port of 127.0.0.1 of its own, without authentication.
/// Its journal is on, as always with MongoDB. Killed, and its folder removed, when dropped; when the test is failing,
/// the folder is kept and named on standard error.
#[derive(Debug)]
pub struct MongoDb {
    service: Service,
    launch: Launch,
    address: MongoAddress,
    port: ReservedPort,
}

impl MongoDb {
    /// Starts a fresh replica set and waits until it takes writes, [small](MongoSize::SMALL).
    pub fn start() -> Result<Self, ServerError> {
        Self::start_with(MongoSize::SMALL)
    }

    /// The same of another size; for measurements, which want a server of the size that it would have at work.
    pub fn start_with(size: MongoSize) -> Result<Self, ServerError> {
        Self::start_further(size, Vec::new())
    }

    /// Starts one that takes TLS alone, showing this certificate, and asks clients for one of this authority. Its address names 127.0.0.1 and no
    /// TLS.
    pub fn start_tls(authority: &Authority, shown: &Issued) -> Result<Self, ServerError> {
        let further = ["--tlsMode", "allowTLS", "--tlsCertificateKeyFile"].map(OsString::from).into_iter();
        let files = [shown.both.clone().into(), "--tlsCAFile".into(), authority.root_file().into()];
        let server = Self::start_further(MongoSize::SMALL, further.chain(files).collect())?;
        // It is made a replica set in the clear, and goes from mode to mode step by step.
        for mode in ["preferTLS", "requireTLS"] {
            server.command(doc! { "setParameter": 1, "tlsMode": mode })?;
        }
        Ok(server)
    }

    /// Starts one as an operator gets it: it knows neither a replica set nor a user, and takes nothing from clients that have not logged in, but what
    /// makes the first user.
    pub fn start_empty() -> Result<Self, ServerError> {
        let origin = find_program()?;
        let port = ReservedPort::new()?;
        let (mut service, mut launch) = prepare(&origin, &port, MongoSize::SMALL)?;
        let key = service.dir().join("key");
        let written = fs::write(&key, "by which members know each other")
            .and_then(|()| fs::set_permissions(&key, fs::Permissions::from_mode(0o600)));
        written.map_err(|error| ServerError::io(format_args!("cannot write {}", key.display()), &error))?;
        launch.args.extend([OsString::from("--keyFile"), key.into()]);
        service.start(&launch, |_| succeed(port.address(), doc! { "hello": 1 }))?;
        Self::started(service, launch, port, origin)
    }

    fn start_further(size: MongoSize, further: Vec<OsString>) -> Result<Self, ServerError> {
        let origin = find_program()?;
        let port = ReservedPort::new()?;
        let (mut service, mut launch) = prepare(&origin, &port, size)?;
        launch.args.extend(further);
        await_primary(&mut service, &launch, port.address())?;
        Self::started(service, launch, port, origin)
    }

    fn started(
        service: Service,
        launch: Launch,
        port: ReservedPort,
        origin: Origin,
    ) -> Result<Self, ServerError> {
        let version = version(port.address()).map_err(ServerError::new)?;
        // Direct, so that a proxy in between is not bypassed by what the replica set says of its members.
        let uri = format!("mongodb://{}/?directConnection=true", port.address());
        Ok(Self { service, launch, address: MongoAddress { uri, version, origin }, port })
    }

    /// Its address.
    pub fn address(&self) -> &MongoAddress {
        &self.address
    }

    /// The connection string.
    pub fn uri(&self) -> &str {
        self.address.uri()
    }

    /// Its TCP port on 127.0.0.1, the same after a restart: what a [`Proxy`](crate::proxy::Proxy) is put before.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its process id; an error while it is stopped.
    pub fn pid(&self) -> Result<u32, ServerError> {
        Ok(self.service.running()?.pid())
    }

    /// The folder with its data.
    pub fn data_dir(&self) -> PathBuf {
        self.service.dir().join(DATA)
    }

    /// Where the server writes its log.
    pub fn log_path(&self) -> &Path {
        &self.launch.log
    }

    /// Kills the server at once (SIGKILL) and waits until it is gone.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        self.service.stop()
    }

    /// Makes the server stand still: connections stay open, nothing answers.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.service.running()?.pause()
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self) -> Result<(), ServerError> {
        self.service.running()?.resume()
    }

    /// Kills the server if it runs, starts it with the same data on the same port, and waits until it takes writes.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        await_primary(&mut self.service, &self.launch, self.port.address())
    }

    /// Runs one command against the `admin` database; an answer that is not `ok` is an error.
    pub fn command(&self, command: Document) -> Result<Document, ServerError> {
        succeed(self.port.address(), command).map_err(ServerError::new)
    }
}

/// Starts the server, makes it a replica set if it is none yet, and waits until it is a primary that takes writes.
fn await_primary(service: &mut Service, launch: &Launch, address: SocketAddr) -> Result<(), ServerError> {
    service.start(launch, |_| {
        let hello = succeed(address, doc! { "hello": 1 })?;
        if hello.get_bool("isWritablePrimary").is_ok_and(|writable| writable) {
            return Ok(());
        }
        if hello.get_str("setName").is_ok() {
            return Err(String::from("a replica set, but not yet its primary"));
        }
        initiate(address)
    })
}

/// Makes it a replica set. Success is still to be waited for.
fn initiate(address: SocketAddr) -> Result<(), String> {
    let members = vec![doc! { "_id": 0, "host": address.to_string() }];
    let answer =
        run_command(address, doc! { "replSetInitiate": { "_id": REPLICA_SET, "members": members } })?;
    let ok = answer.get_f64("ok").is_ok_and(|ok| ok > 0.0);
    let initialized = answer.get_i32("code").is_ok_and(|code| code == ALREADY_INITIALIZED);
    Err(if ok || initialized {
        String::from("being made a replica set")
    } else {
        format!("refused: {answer}")
    })
}

fn version(address: SocketAddr) -> Result<String, String> {
    let info = succeed(address, doc! { "buildInfo": 1 })?;
    info.get_str("version").map(str::to_owned).map_err(|error| error.to_string())
}

pub(super) fn succeed(address: SocketAddr, command: Document) -> Result<Document, String> {
    let answer = run_command(address, command)?;
    if answer.get_f64("ok").is_ok_and(|ok| ok > 0.0) { Ok(answer) } else { Err(format!("refused: {answer}")) }
}

/// The first host of a connection string.
fn first_host(uri: &str) -> Option<SocketAddr> {
    let rest = uri.strip_prefix("mongodb://")?;
    let hosts = rest.split(['/', '?']).next()?.rsplit('@').next()?;
    let host = hosts.split(',').next()?;
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:27017") };
    host.to_socket_addrs().ok()?.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hosts() {
        let at = |uri| first_host(uri).map(|address| address.to_string());
        assert_eq!(at("mongodb://127.0.0.1:5/?a=b").as_deref(), Some("127.0.0.1:5"));
        assert_eq!(at("mongodb://me:pw@127.0.0.1,10.0.0.1/db").as_deref(), Some("127.0.0.1:27017"));
        assert_eq!(at("mongodb+srv://example"), None);
    }
}
