//! Reads files that may hold secrets.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use esoz_kernel::SecretString;
use zeroize::Zeroizing;

/// The size limit of a configuration, a secret or a certificate, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A file that cannot be used. The text names the file and never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FileError(String);

impl FileError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Reads a whole file that may hold secrets. One over the limit of 1 MiB is an error: a wrong path, e.g. of a device, must not fill the memory.
///
/// # Errors
/// When it cannot be read, or is larger.
pub fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
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

/// Reads a file as [`read_file`] does, with an error that names it.
///
/// # Errors
/// As [`read_file`].
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    read_file(path).map_err(|error| FileError(format!("{} cannot be read: {error}", path.display())))
}

/// A secret, or the file that holds it. `Debug` masks the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The secret itself.
    Inline(SecretString),
    /// A file that holds the secret, with or without a line break at its end.
    File(PathBuf),
}

impl SecretSource {
    /// Returns the secret: of a file, what it holds now.
    ///
    /// # Errors
    /// [`FileError`] when the file cannot be read, is not UTF-8, or holds nothing: it may be about to be written.
    pub fn read(&self) -> Result<SecretString, FileError> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::File(path) => {
                let bytes = read(path)?;
                let text = str::from_utf8(&bytes)
                    .map_err(|_| FileError(format!("{} is not valid UTF-8", path.display())))?;
                match text.trim_end_matches(['\r', '\n']) {
                    "" => Err(FileError(format!("{} is empty", path.display()))),
                    secret => Ok(SecretString::new(secret)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_never_ends_is_not_read_to_its_end() {
        let refused = read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(refused.to_string(), "/dev/zero cannot be read: it has more than 1 MiB");
    }

    #[test]
    fn a_secret_is_what_its_file_holds_now() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let source = SecretSource::File(path.clone());
        assert!(source.read().unwrap_err().to_string().contains("secret cannot be read"));
        for (content, expected) in [("one\n", "one"), (" two\r\n", " two"), ("three", "three")] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(source.read().unwrap().expose(), expected);
        }
        for empty in ["", "\n", "\r\n"] {
            std::fs::write(&path, empty).unwrap();
            assert!(source.read().unwrap_err().to_string().ends_with("secret is empty"));
        }
        std::fs::write(&path, b"canary\xff").unwrap();
        let refused = source.read().unwrap_err().to_string();
        assert!(refused.ends_with("secret is not valid UTF-8") && !refused.contains("canary"), "{refused}");
        assert!(!format!("{:?}", SecretSource::Inline(SecretString::new("canary"))).contains("canary"));
    }
}
