//! A replica set of several members, for tests that take its primary away.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bson::{Document, doc};

use super::{
    error::ServerError,
    mongo_program::{MongoSize, REPLICA_SET, find_program, prepare},
    mongodb::succeed,
    port::ReservedPort,
    process::Launch,
    service::{READY_WITHIN, Service},
};

/// After how long members take a primary that is silent for dead, in milliseconds. MongoDB's own default is ten seconds.
const ELECTION_TIMEOUT_MS: i32 = 1_500;
const HEARTBEAT_MS: i32 = 300;
/// How long a primary that was stepped down stays away, in seconds.
const STEPPED_DOWN_S: i32 = 5;
const POLL_EVERY: Duration = Duration::from_millis(20);

/// A replica set of mongods on ports of 127.0.0.1 of their own, each in a folder of its own, with a short election timeout. Killed, and
/// their folders removed, when dropped.
#[derive(Debug)]
pub struct MongoSet {
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    service: Service,
    launch: Launch,
    port: ReservedPort,
}

impl Member {
    fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Starts it, or starts it again with the same data, and waits until it answers.
    fn start(&mut self) -> Result<(), ServerError> {
        let address = self.port.address();
        self.service.start(&self.launch, |_| succeed(address, doc! { "ping": 1 }).map(drop))
    }

    fn is_primary(&self) -> bool {
        let hello = succeed(self.address(), doc! { "hello": 1 });
        hello.is_ok_and(|hello| hello.get_bool("isWritablePrimary").is_ok_and(|writable| writable))
    }
}

impl MongoSet {
    /// Starts that many members and waits until one of them is primary.
    pub fn start(members: usize) -> Result<Self, ServerError> {
        let origin = find_program()?;
        let mut set = Self { members: Vec::new() };
        for _ in 0..members {
            let port = ReservedPort::new()?;
            let (service, launch) = prepare(&origin, &port, MongoSize::SMALL)?;
            let mut member = Member { service, launch, port };
            member.start()?;
            set.members.push(member);
        }
        let hosts: Vec<Document> = (0_i32..)
            .zip(&set.members)
            .map(|(number, member)| doc! { "_id": number, "host": member.address().to_string() })
            .collect();
        let settings = doc! {
            "electionTimeoutMillis": ELECTION_TIMEOUT_MS,
            "heartbeatIntervalMillis": HEARTBEAT_MS,
        };
        let config = doc! { "_id": REPLICA_SET, "members": hosts, "settings": settings };
        let first = set.members.first().ok_or_else(|| ServerError::new("a replica set has members"))?;
        succeed(first.address(), doc! { "replSetInitiate": config }).map_err(ServerError::new)?;
        set.primary()?;
        Ok(set)
    }

    /// The connection string, naming all members.
    pub fn uri(&self) -> String {
        let hosts: Vec<String> = self.members.iter().map(|member| member.address().to_string()).collect();
        format!("mongodb://{}/?replicaSet={REPLICA_SET}", hosts.join(","))
    }

    /// Waits until a member is primary, and gives its number.
    pub fn primary(&self) -> Result<usize, ServerError> {
        let started = Instant::now();
        while started.elapsed() < READY_WITHIN {
            if let Some(number) = self.members.iter().position(Member::is_primary) {
                return Ok(number);
            }
            std::thread::sleep(POLL_EVERY);
        }
        Err(ServerError::new(format!("no member is primary after {} s", READY_WITHIN.as_secs())))
    }

    /// Kills a member at once (SIGKILL).
    pub fn kill(&mut self, number: usize) -> Result<(), ServerError> {
        self.member(number)?.service.stop()
    }

    /// Starts a member again with the same data and waits until it answers.
    pub fn restart(&mut self, number: usize) -> Result<(), ServerError> {
        self.member(number)?.start()
    }

    /// Has the primary of that number give up its place for a few seconds.
    pub fn step_down(&mut self, number: usize) -> Result<(), ServerError> {
        let command =
            doc! { "replSetStepDown": STEPPED_DOWN_S, "secondaryCatchUpPeriodSecs": 2, "force": true };
        succeed(self.member(number)?.address(), command).map(drop).map_err(ServerError::new)
    }

    fn member(&mut self, number: usize) -> Result<&mut Member, ServerError> {
        self.members
            .get_mut(number)
            .ok_or_else(|| ServerError::new(format!("no member has the number {number}")))
    }
}
