//! PostgreSQL's programs: where they are, which version, and whom the server runs as.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    error::ServerError,
    fetch::{apt_install, find_or_install},
    find::{is_executable, is_root, on_path, run},
    process::User,
};

/// The oldest version that the project supports.
const MAJOR_MIN: u32 = 15;
/// Where Debian keeps the programs of each version, away from `PATH`.
const DEBIAN_DIR: &str = "/usr/lib/postgresql";

/// The folder of PostgreSQL's server programs.
pub(super) fn find_server() -> Result<PathBuf, ServerError> {
    let mut seen = Vec::new();
    if let Some(dir) = suitable(&mut seen) {
        return Ok(dir);
    }
    let installed = apt_install(&["postgresql"]);
    if let Some(dir) = suitable(&mut seen) {
        return Ok(dir);
    }
    let why = match installed {
        Ok(()) => String::from("apt-get installed no such version"),
        Err(error) => error.to_string(),
    };
    Err(ServerError::new(format!(
        "no PostgreSQL {MAJOR_MIN} or later: looked on PATH and in {DEBIAN_DIR}/*/bin, found {seen:?}; {why}.\n\
         Install PostgreSQL's server programs, or name a running server in {}",
        super::POSTGRES_URL
    )))
}

/// The first folder that has a server of a version we support; what else was found goes to `seen`.
fn suitable(seen: &mut Vec<String>) -> Option<PathBuf> {
    seen.clear();
    server_dirs().into_iter().find(|dir| {
        let found = run(Command::new(dir.join("postgres")).arg("--version")).unwrap_or_default();
        seen.push(format!("{}: {}", dir.display(), found.trim()));
        major(&found).is_some_and(|major| major >= MAJOR_MIN)
    })
}

/// Folders with both `postgres` and `initdb`: those on `PATH` first, then Debian's, newest first.
fn server_dirs() -> Vec<PathBuf> {
    let linked = on_path("postgres");
    let mut dirs: Vec<PathBuf> = linked
        .iter()
        .filter_map(|file| Some(file.canonicalize().ok()?.parent()?.to_path_buf()))
        .chain(debian_dirs())
        .filter(|dir| ["postgres", "initdb"].iter().all(|name| is_executable(&dir.join(name))))
        .collect();
    dirs.dedup();
    dirs
}

fn debian_dirs() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN_DIR)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_unstable_by(|left, right| right.cmp(left));
    versions.into_iter().map(|(_, dir)| dir).collect()
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian …)`.
fn major(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The command-line client, preferably the server's own. Those in Debian's folders come before `PATH`, where Debian has a wrapper in Perl that takes
/// longer than most queries.
pub(super) fn find_psql(beside: Option<&Path>) -> Result<PathBuf, ServerError> {
    let look = || {
        beside
            .map(|dir| dir.join("psql"))
            .into_iter()
            .chain(debian_dirs().into_iter().map(|dir| dir.join("psql")))
            .chain(on_path("psql"))
            .find(|file| is_executable(file))
    };
    find_or_install(look, "postgresql-client", &format!("no psql: looked in {DEBIAN_DIR}/*/bin and on PATH"))
}

/// Whom the server runs as: itself, or, since it refuses to run as root, `postgres` or `nobody`.
pub(super) fn server_user() -> Result<Option<User>, ServerError> {
    if !is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")
        .map_err(|error| ServerError::io("cannot read /etc/passwd", &error))?;
    ["postgres", "nobody"].iter().find_map(|name| user(&users, name)).map(Some).ok_or_else(|| {
        ServerError::new("PostgreSQL refuses to run as root, and there is no user postgres or nobody")
    })
}

fn user(users: &str, name: &str) -> Option<User> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        Some(User { uid: fields.nth(1)?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions_and_users() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19devel\n"), Some(19));
        assert_eq!(major("not this"), None);
        let users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:nobody:/:/bin/false\n";
        let nobody = user(users, "nobody").unwrap();
        assert_eq!((nobody.uid, nobody.gid), (65534, 65533));
        assert!(user(users, "postgres").is_none());
    }
}
