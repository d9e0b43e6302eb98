//! Where tests keep the files of servers and stores.

use std::{
    env, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// The system's folder for files in memory.
const MEMORY: &str = "/dev/shm";

/// The room there that a run of all tests may need, in bytes.
const ROOM: u64 = 8 << 30;

/// A folder in memory if there is room, else that for temporary files: many tests share one disk, and each commit would wait until it has written
/// what the others do. A process that is killed loses nothing there; a machine that loses power does, so measurements use a disk.
pub(super) fn folder() -> PathBuf {
    let room = rustix::fs::statvfs(MEMORY).map(|file_system| file_system.f_bavail * file_system.f_frsize);
    if room.is_ok_and(|room| room >= ROOM) { Path::new(MEMORY).to_owned() } else { env::temp_dir() }
}

/// Makes a temporary folder in memory if there is room, else on a disk.
///
/// # Errors
/// When it cannot be made.
pub fn tempdir() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("esoz-test-store-").tempdir_in(folder())
}
