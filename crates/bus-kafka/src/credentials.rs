//! What a client is made with, as the files hold it now.

use esoz_kernel::SecretString;
use esoz_tls::{ClientTls, FileError, Verification, read_file};
use zeroize::Zeroizing;

use crate::{BusError, Sasl};

/// What a client is made with. The library takes it once, so a client is made anew when it changes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) password: Option<SecretString>,
    files: Vec<Zeroizing<Vec<u8>>>,
}

impl Credentials {
    /// Reads what the files hold now.
    pub(crate) fn read(tls: Option<&ClientTls>, sasl: Option<&Sasl>) -> Result<Self, BusError> {
        let unusable = |setting: &str, error: &FileError| BusError::settings(setting, error.to_string());
        let password = match sasl {
            Some(Sasl::Password { password, .. }) => {
                Some(password.read().map_err(|error| unusable("sasl.password", &error))?)
            }
            Some(Sasl::Token(_)) | None => None,
        };
        let mut files = Vec::new();
        if let Some(tls) = tls {
            // Parsed as well: the library's own errors about a file name neither it nor the fault.
            tls.config(Verification::AuthorityAndHost)
                .map_err(|error| unusable("the certificates", &error))?;
            let certificate =
                tls.certificate.iter().flat_map(|files| [files.certificate(), files.private_key()]);
            for path in tls.root_certificate_file.as_deref().into_iter().chain(certificate) {
                let content = read_file(path).map_err(|error| {
                    BusError::settings("the certificates", format!("{}: {error}", path.display()))
                })?;
                files.push(content);
            }
        }
        Ok(Self { password, files })
    }
}
