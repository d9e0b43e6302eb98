//! A server's folder, and the guard beside it that outlives us long enough to clean up.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use super::error::ServerError;

/// Reads our orders from its standard input; at its end, so when we are gone without a word, kills the process that
/// it watches, with all its descendants, and removes the folder. Stops parents first, so that no child appears while
/// children are listed; waits for the end before it removes what they write to.
const GUARD: &str = r#"
pid=
while read -r order value; do
    case $order in
        watch) pid=$value ;;
        forget) pid= ;;
        dismiss) exit 0 ;;
    esac
done
if [ -n "$pid" ]; then
    all=
    generation=$pid
    while [ -n "$generation" ]; do
        kill -STOP $generation
        all="$all $generation"
        parents=" $generation "
        generation=
        for stat in /proc/[0-9]*/stat; do
            read -r line < "$stat" || continue
            set -- "$1" ${line##*) }
            case $parents in
                *" $3 "*)
                    child=${stat#/proc/}
                    generation="$generation ${child%/stat}" ;;
            esac
        done
    done
    kill -KILL $all
    rounds=0
    for each in $all; do
        while kill -0 "$each" && [ "$rounds" -lt 200 ]; do
            rounds=$((rounds + 1))
            sleep 0.05
        done
    done
fi
rm -rf -- "$1"
"#;

/// A server's folder with its guard.
#[derive(Debug)]
pub(super) struct Home {
    dir: PathBuf,
    guard: Child,
    orders: ChildStdin,
}

impl Home {
    /// Makes a fresh folder named after the server, below that folder.
    pub(super) fn new(server: &str, below: &Path) -> Result<Self, ServerError> {
        let dir = tempfile::Builder::new()
            .prefix(&format!("esoz-test-{server}-"))
            .tempdir_in(below)
            .map_err(|error| ServerError::io("cannot make a temporary folder", &error))?
            .keep();
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "esoz-test-server-guard"])
            .arg(&dir)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own: what ends our group (Ctrl-C, a runner's time limit) must not end the guard.
            .process_group(0)
            .spawn()
            .map_err(|error| ServerError::io("cannot run `sh`, which guards test servers", &error))?;
        let orders = guard.stdin.take().ok_or_else(|| ServerError::new("the guard has no input pipe"))?;
        Ok(Self { dir, guard, orders })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// From here on the process dies with us.
    pub(super) fn watch(&mut self, pid: u32) -> Result<(), ServerError> {
        self.order(&format!("watch {pid}"))
    }

    /// The process is killed and about to be collected: its number may soon be another's.
    pub(super) fn forget(&mut self) -> Result<(), ServerError> {
        self.order("forget")
    }

    fn order(&mut self, order: &str) -> Result<(), ServerError> {
        writeln!(self.orders, "{order}")
            .map_err(|error| ServerError::io("the guard of a test server is gone", &error))
    }
}

/// Removes the folder, or keeps it and says where when the test is failing.
impl Drop for Home {
    fn drop(&mut self) {
        // Failures are of no use to anyone here: the guard ends at the end of its pipe in any case.
        let _ = self.order("dismiss");
        let _ = self.guard.wait();
        if std::thread::panicking() {
            note(&format!("kept for you to look at: {}", self.dir.display()));
        } else {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// Tells the person who runs the tests.
#[expect(clippy::print_stderr, reason = "the only channel to a person that a test has")]
pub(super) fn note(text: &str) {
    eprintln!("esoz test servers: {text}");
}
