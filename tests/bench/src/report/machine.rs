//! On what it was measured.

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::stage::Venue;

/// What a reader must know of the machine, as (what, which).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine(pub Vec<(String, String)>);

impl Machine {
    /// This one, with the servers that were measured on.
    pub fn look(venue: &Venue, how: String) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let folder = std::env::temp_dir();
        let mut all = vec![
            ("processor", format!("{cores} × {}", field("/proc/cpuinfo", "model name"))),
            ("memory", field("/proc/meminfo", "MemTotal")),
            ("kernel", format!("Linux {}", read("/proc/sys/kernel/osrelease").trim())),
            ("stores on", format!("{}, each commit waited for until it is there", file_system(&folder))),
            ("esoz", said("git", &["describe", "--always", "--dirty"])),
            ("Rust", said("rustc", &["--version"])),
            ("SQLite", rusqlite::version().to_owned()),
        ];
        if let Some(servers) = venue.started() {
            all.extend(servers.versions());
        }
        all.push(("measured", how));
        Self(all.into_iter().map(|(what, which)| (what.to_owned(), which)).collect())
    }

    /// With what only an older look knew: a server that nothing wanted this time.
    pub(super) fn with_what_only(mut self, older: Self) -> Self {
        let is_new = |what: &String, of: &Self| of.0.iter().all(|(known, _)| known != what);
        let missing: Vec<_> = older.0.into_iter().filter(|(what, _)| is_new(what, &self)).collect();
        self.0.extend(missing);
        self
    }
}

/// How many wanted a processor in the last minute. Where others want one too, the way with the most threads gets the most, and ratios say
/// nothing.
pub fn load() -> String {
    read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

/// The value of the first line of that name.
fn field(file: &str, name: &str) -> String {
    let text = read(file);
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    line.map_or_else(|| "(not told)".to_owned(), |value| value.trim().to_owned())
}

fn said(program: &str, arguments: &[&str]) -> String {
    let said = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    said.map_or_else(
        |_| "(not told)".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// The kind of file system that holds the folder.
fn file_system(folder: &Path) -> String {
    let mounts = read("/proc/mounts");
    let mount = |line: &str| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    let holding = mounts.lines().filter_map(mount).filter(|(place, _)| folder.starts_with(place));
    holding.max_by_key(|(place, _)| place.len()).map_or_else(|| "(not told)".to_owned(), |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_looked_at_this_time_stays() {
        let machine = |pairs: &[(&str, &str)]| {
            Machine(pairs.iter().map(|&(what, which)| (what.to_owned(), which.to_owned())).collect())
        };
        let both = machine(&[("esoz", "new")]).with_what_only(machine(&[("esoz", "old"), ("MongoDB", "6")]));
        assert_eq!(both, machine(&[("esoz", "new"), ("MongoDB", "6")]));
    }

    #[test]
    fn a_machine_says_what_it_is() {
        assert!(field("/proc/meminfo", "MemTotal").ends_with(" kB"));
        assert_eq!(field("/proc/meminfo", "Nothing"), "(not told)");
        assert!(said("rustc", &["--version"]).starts_with("rustc "));
        assert_eq!(file_system(Path::new("/proc/self")), "proc");
    }
}
