//! Where a server came from, for the summary of a test run.

use std::{fmt, path::PathBuf};

/// Where a test server, or its program, came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Somebody runs it: its address is in this environment variable.
    Environment(&'static str),
    /// The program was on this machine.
    Installed(PathBuf),
    /// The program was fetched from a package index, now or earlier.
    Fetched {
        /// The package and its version, as `name==version`.
        package: String,
        /// The program.
        program: PathBuf,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(variable) => write!(f, "address from {variable}"),
            Self::Installed(program) => write!(f, "started here from {}", program.display()),
            Self::Fetched { package, program } => {
                write!(f, "started here from package {package}, kept at {}", program.display())
            }
        }
    }
}
