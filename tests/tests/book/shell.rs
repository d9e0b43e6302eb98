//! A shell that a page's commands are typed into, and what it prints held against what the page says.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use esoz_test_servers::is_running;
use esoz_testkit::wait::wait_for_blocking;
use esoz_tests::DEADLINE;

/// What stands for whatever is printed there.
const ANYTHING: &str = "…";
/// What the shell prints when it has come to the end of a block.
const DONE: &str = "-- the block is done --";

/// A shell that stops at the first command that fails.
pub(crate) struct Shell {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Shell {
    /// Starts one in that folder, which finds programs in another folder first.
    pub(crate) fn start(folder: &Path, programs: &Path) -> Self {
        let mut child = Command::new("sh")
            .arg("-e")
            // With what it starts in the background, in a process group that is killed as one.
            .process_group(0)
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        writeln!(input, "exec 2>&1; PATH=\"{}:$PATH\"", programs.display()).unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, input: Some(input), lines }
    }

    /// Types a block in and gives what it printed.
    ///
    /// # Panics
    /// When a command fails, or does not come to an end.
    pub(crate) fn run(&mut self, block: &str) -> String {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{block}\necho '{DONE}'").unwrap();
        let deadline = Instant::now() + DEADLINE;
        let mut printed = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line == DONE => return printed.join("\n"),
                Ok(line) => printed.push(line),
                Err(error) => {
                    panic!("{error} while this was run:\n{block}\nIt printed:\n{}", printed.join("\n"))
                }
            }
        }
    }
}

impl AsMut<Self> for Shell {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.input.take());
        // Also when a test fails half-way, or a page leaves its server running.
        let group = format!("kill -s KILL -- -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &group]).status();
        let _ = self.child.wait();
    }
}

/// Does a text look like that? `…` in the pattern stands for anything, also for several lines.
pub(crate) fn looks_like(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.trim_end(), pattern.trim_end());
    let mut parts = pattern.split(ANYTHING);
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

#[test]
fn what_a_shell_started_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Shell::start(folder.path(), folder.path());
    shell.run("sleep 600 & echo $! > pid");
    let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap().trim().parse().unwrap();
    assert!(is_running(pid));
    drop(shell);
    wait_for_blocking("the end of what runs in the background", DEADLINE, || {
        (!is_running(pid)).then_some(())
    });
}

#[test]
fn a_pattern_matches_what_it_should_and_nothing_else() {
    for (text, pattern) in
        [("", ""), ("a", "a\n"), ("abc", "a…c"), ("a\nb\nc", "a…c"), ("abc", "…"), ("aXbYc", "a…b…c")]
    {
        assert!(looks_like(text, pattern), "{text:?} {pattern:?}");
    }
    for (text, pattern) in
        [("a", ""), ("ab", "a"), ("abd", "a…c"), ("ac", "a…b…c"), ("xabc", "a…c"), ("abcx", "a…c")]
    {
        assert!(!looks_like(text, pattern), "{text:?} {pattern:?}");
    }
}
