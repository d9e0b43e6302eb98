//! Reads the files that the configuration names.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

/// The size limit of a configuration, a secret or a certificate, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads a whole file that may hold secrets. One over the limit is an error: a wrong path, e.g. of a device, must not fill the memory.
pub(crate) fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    // Large enough from the start, where the size is known: growing would leave a copy behind.
    let capacity = usize::try_from(file.metadata()?.len().min(MAX_FILE_BYTES)).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read > MAX_FILE_BYTES) {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it has more than 1 MiB"));
    }
    Ok(bytes)
}
