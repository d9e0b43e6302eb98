//! What a client is made with, as the files hold it now.

use std::sync::Arc;

use esoz_kernel::SecretString;
use esoz_tls::{CertificateContents, ClientTls, FileError, Verification, read};
use zeroize::Zeroizing;

use crate::{BusError, Sasl};

/// What a client is made with. The library takes it once, so a client is made anew when it changes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) password: Option<SecretString>,
    roots: Option<Zeroizing<Vec<u8>>>,
    certificate: Option<Arc<CertificateContents>>,
}

impl Credentials {
    /// Reads what the files hold now. Certificates are parsed as well: the library's own errors about a file name neither it nor the fault.
    pub(crate) fn read(tls: Option<&ClientTls>, sasl: Option<&Sasl>) -> Result<Self, BusError> {
        let unusable = |setting| move |error: FileError| BusError::settings(setting, error.to_string());
        let password = match sasl {
            Some(Sasl::Password { password, .. }) => {
                Some(password.read().map_err(unusable("password_file"))?)
            }
            Some(Sasl::Token(_)) | None => None,
        };
        let (roots, certificate) = tls.map(|tls| (&tls.root_certificate_file, &tls.certificate)).unzip();
        let roots = roots.and_then(Option::as_ref).map(|path| {
            let trusted = ClientTls { root_certificate_file: Some(path.clone()), certificate: None };
            trusted.config(Verification::AuthorityAndHost)?;
            read(path)
        });
        let certificate = certificate.and_then(Option::as_ref).map(|files| {
            let contents = files.read()?;
            files.parse(&contents)?;
            Ok(Arc::new(contents))
        });
        Ok(Self {
            password,
            roots: roots.transpose().map_err(unusable("root_certificate_file"))?,
            certificate: certificate.transpose().map_err(unusable("client_certificate_file"))?,
        })
    }
}
