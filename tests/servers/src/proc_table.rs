//! What `/proc` says of processes: children, whether one is still running, and how much it has worked.

use std::fs;
use std::time::Duration;

/// The processes whose parent this is.
pub(super) fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| stat(*pid).is_some_and(|(_, ppid)| ppid == parent))
        .collect()
}

/// Does it run (or stand paused)? A process that ended but was not yet collected by its parent does not.
pub fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// How much processor time that process has taken, the kernel's work for it included; `None` if there is no such process.
pub fn processor_time(pid: u32) -> Option<Duration> {
    let fields = fields(pid)?;
    let ticks = |index: usize| fields.get(index)?.parse::<u32>().ok();
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    Some(Duration::from_secs(1) * ticks(11)?.checked_add(ticks(12)?)? / per_second)
}

/// State letter and parent.
fn stat(pid: u32) -> Option<(char, u32)> {
    let fields = fields(pid)?;
    Some((fields.first()?.chars().next()?, fields.get(1)?.parse().ok()?))
}

/// The fields from the state letter on. The name before them is in parentheses and may hold anything, spaces included.
fn fields(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn who_works_takes_processor_time() {
        let time = || processor_time(std::process::id()).unwrap();
        let before = time();
        let deadline = std::time::Instant::now() + Duration::from_mins(1);
        while time() == before {
            assert!(std::time::Instant::now() < deadline, "a minute of work took no time");
        }
        assert!(time() > before);
        assert_eq!(processor_time(u32::MAX), None);
    }

    #[test]
    fn sees_a_child_until_it_ends() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(children(std::process::id()).contains(&child.id()));
        assert!(is_running(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_running(child.id()));
    }
}
