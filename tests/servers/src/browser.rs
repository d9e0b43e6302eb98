//! A browser of a test's own, driven by WebDriver.

use std::{
    ffi::OsString,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    error::ServerError,
    fetch::apt_install,
    find::{on_path, run},
    origin::Origin,
    port::ReservedPort,
    process::Launch,
    service::Service,
};

/// What Chromium, or Chrome, is called on one system or another.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const DRIVER: &str = "chromedriver";
/// Debian's packages of both.
const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// ChromeDriver on a port of 127.0.0.1 of its own, and the browser that it is to start. Killed when dropped, with the
/// browsers that it started.
#[derive(Debug)]
pub struct Browser {
    service: Service,
    port: ReservedPort,
    programs: Programs,
}

impl Browser {
    /// Starts the driver and waits until it listens.
    pub fn start() -> Result<Self, ServerError> {
        let programs = Programs::find()?;
        let port = ReservedPort::new()?;
        let mut service = Service::new("browser")?;
        let folder = service.dir().display().to_string();
        let launch = Launch {
            program: programs.driver.clone(),
            args: vec![OsString::from(format!("--port={}", port.number()))],
            user: None,
            // What both write beside the profile goes with the folder.
            environment: vec![("HOME", folder.clone()), ("TMPDIR", folder)],
            log: service.dir().join("log"),
        };
        service.start(&launch, |_| TcpStream::connect(port.address()).map_err(|error| error.to_string()))?;
        Ok(Self { service, port, programs })
    }

    /// Where WebDriver is spoken.
    pub fn driver_url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// The browser's program, for the capability `binary`.
    pub fn program(&self) -> &Path {
        &self.programs.browser
    }

    /// How the browser is to be started: without a screen, in an empty profile, asking nothing of the network by itself.
    pub fn arguments(&self) -> Vec<String> {
        let profile = self.service.dir().join("profile");
        let mut arguments = vec![format!("--user-data-dir={}", profile.display())];
        arguments.extend(
            [
                "--headless",
                // It cannot make its sandbox as root, nor in many containers; the pages of tests are our own.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-proxy-server",
            ]
            .map(String::from),
        );
        arguments
    }

    /// The browser's version.
    pub fn version(&self) -> &str {
        &self.programs.version
    }

    /// Where the browser came from.
    pub fn origin(&self) -> Origin {
        Origin::Installed(self.programs.browser.clone())
    }
}

/// A browser and the driver of its version.
#[derive(Debug)]
struct Programs {
    browser: PathBuf,
    driver: PathBuf,
    /// As the browser tells it.
    version: String,
}

impl Programs {
    fn find() -> Result<Self, ServerError> {
        let mut seen = Vec::new();
        if let Some(programs) = Self::on_path(&mut seen) {
            return Ok(programs);
        }
        let installed = apt_install(&PACKAGES);
        if let Some(programs) = Self::on_path(&mut seen) {
            return Ok(programs);
        }
        let why = match installed {
            Ok(()) => String::from("apt-get installed no such pair"),
            Err(error) => error.to_string(),
        };
        Err(ServerError::new(format!(
            "no browser with its driver: looked on PATH for one of {BROWSERS:?} and a {DRIVER} of the same major version, \
             found {seen:?}; {why}.\nInstall both, e.g. Debian's packages {}",
            PACKAGES.join(" and ")
        )))
    }

    /// The first pair of one major version; what else was found goes to `seen`.
    fn on_path(seen: &mut Vec<String>) -> Option<Self> {
        seen.clear();
        let mut found = |name: &str| -> Vec<(PathBuf, String)> {
            let of_it = on_path(name).into_iter().map(|program| {
                let version = run(Command::new(&program).arg("--version")).unwrap_or_default();
                let version = version.trim().to_owned();
                seen.push(format!("{}: {version}", program.display()));
                (program, version)
            });
            of_it.collect()
        };
        let drivers = found(DRIVER);
        let mut browsers = BROWSERS.iter().flat_map(|name| found(name));
        browsers.find_map(|(browser, version)| {
            let wanted = major(&version)?;
            let (driver, _) = drivers.iter().find(|(_, version)| major(version) == Some(wanted))?;
            Some(Self { browser, driver: driver.clone(), version })
        })
    }
}

/// The major version in `Chromium 156.0.8078.79 built on Debian …`.
fn major(text: &str) -> Option<u32> {
    text.split_whitespace().find_map(|word| word.split_once('.')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        assert_eq!(major("Chromium 156.0.8078.79 built on Debian GNU/Linux 12 (bookworm)"), Some(156));
        assert_eq!(major("Google Chrome 140.0.7339.80 "), Some(140));
        assert_eq!(major("ChromeDriver 156.0.8078.79 (a21ce95c-refs/branch-heads/8078@{#1704})"), Some(156));
        assert_eq!(major("not this"), None);
    }
}
