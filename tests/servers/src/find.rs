//! Programs on this machine: looking for them, and running one to its end.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    env,
    error::{ServerError, tail},
};

/// Every executable of this name on `PATH`, in its order.
pub(super) fn on_path(program: &str) -> Vec<PathBuf> {
    let path = env::variable("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(program)).filter(|file| is_executable(file)).collect()
}

/// Is this a file that somebody may run?
pub(super) fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Runs a program to its end and gives its standard output; an error holds the command line and both outputs' ends.
pub(super) fn run(command: &mut Command) -> Result<String, ServerError> {
    let line = command_line(command.get_program(), command.get_args());
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| ServerError::io(format_args!("cannot run `{line}`"), &error))?;
    if !output.status.success() {
        return Err(ServerError::new(format!(
            "`{line}` failed ({})\n{}{}",
            output.status,
            tail(&output.stdout),
            tail(&output.stderr)
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command line as a person may paste it into a shell.
pub(super) fn command_line<'a>(program: &OsStr, args: impl Iterator<Item = &'a OsStr>) -> String {
    let mut line = program.to_string_lossy().into_owned();
    for arg in args {
        let arg = arg.to_string_lossy();
        let plain =
            !arg.is_empty() && arg.chars().all(|c| c.is_ascii_alphanumeric() || "-_=./:,@+%".contains(c));
        let quoted = if plain { arg.into_owned() } else { format!("'{}'", arg.replace('\'', r"'\''")) };
        // Writing to a String cannot fail.
        let _ = write!(line, " {quoted}");
    }
    line
}

/// Are we root, so that packages can be installed and servers that refuse root need another user?
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted() {
        let args = ["-c", "select 'x'", "--port=1"].map(OsStr::new);
        assert_eq!(
            command_line(OsStr::new("psql"), args.into_iter()),
            r"psql -c 'select '\''x'\''' --port=1"
        );
    }

    #[test]
    fn a_failed_program_shows_its_command_line_and_output() {
        let error = run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`sh -c 'echo out; echo err >&2; exit 3'` failed (exit status: 3)"), "{text}");
        assert!(text.contains("out\nerr\n"), "{text}");
    }
}
