//! How connections are encrypted: what the connection string and the settings say together.

use esoz_kernel::{StoreError, StoreErrorKind};
use esoz_tls::{CertificateFiles, ClientTls, Transport, Verification, is_this_machine, platform_root_file};
use mongodb::options::{ClientOptions, ServerAddress, Tls, TlsOptions};

use crate::MongoSettings;

/// Adds the files of the settings to what the connection string says; without a word of it, TLS is on unless every host is this machine. Reads the
/// files, because the driver's own errors about them come late and quote the server.
pub(crate) fn options(parsed: &ClientOptions, settings: &MongoSettings) -> Result<Option<Tls>, StoreError> {
    let (roots, client) = (&settings.root_certificate_file, &settings.client_certificate_file);
    let mut options = match parsed.tls.clone() {
        Some(Tls::Enabled(options)) => options,
        None if roots.is_some() || client.is_some() || !is_local(parsed) => TlsOptions::default(),
        Some(Tls::Disabled) if roots.is_some() || client.is_some() => {
            return Err(refused(
                "tls=false in it contradicts root_certificate_file and client_certificate_file",
            ));
        }
        plain => return Ok(plain),
    };
    for (setting, file) in [(roots, &mut options.ca_file_path), (client, &mut options.cert_key_file_path)] {
        if setting.is_some() {
            file.clone_from(setting);
        }
    }
    let files = ClientTls {
        root_certificate_file: options.ca_file_path.clone(),
        certificate: options.cert_key_file_path.as_ref().map(|file| CertificateFiles::new(file, file)),
    };
    files.config(Verification::AuthorityAndHost).map_err(|error| refused(&error.to_string()))?;
    // Without a file the driver would trust the authorities that were compiled into its release.
    let roots = options.ca_file_path.or_else(platform_root_file);
    options.ca_file_path = Some(roots.ok_or_else(|| {
        refused("this machine has no file of certificate authorities (or SSL_CERT_DIR or SSL_CERT_FILE names another place); name one in root_certificate_file")
    })?);
    Ok(Some(Tls::Enabled(options)))
}

/// How connections are protected, as far as the hosts of the connection string tell: they name the others of their replica set.
pub(crate) fn transport(options: &ClientOptions) -> Transport {
    match &options.tls {
        _ if is_local(options) => Transport::Local,
        Some(Tls::Enabled(tls)) if tls.allow_invalid_certificates == Some(true) => {
            Transport::Weak("tlsAllowInvalidCertificates: the server's certificate is not checked")
        }
        Some(Tls::Enabled(_)) => Transport::Verified,
        _ => Transport::Weak("tls=false: nothing is encrypted"),
    }
}

fn is_local(options: &ClientOptions) -> bool {
    !options.hosts.is_empty()
        && options.hosts.iter().all(|host| match host {
            ServerAddress::Tcp { host, .. } => is_this_machine(host),
            // A socket of this machine; of another kind there is none.
            _ => true,
        })
}

fn refused(why: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Unexpected, format!("reading the MongoDB connection string: {why}"))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    async fn parsed(uri: &str, settings: &MongoSettings) -> Result<ClientOptions, StoreError> {
        let mut parsed = ClientOptions::parse(uri).await.unwrap();
        parsed.tls = options(&parsed, settings)?;
        Ok(parsed)
    }

    #[tokio::test]
    async fn only_tls_that_is_checked_is_a_safe_way_to_another_machine() {
        let none = MongoSettings::new("", "esoz");
        for (uri, expected) in [
            ("mongodb://localhost,127.0.0.1:2,[::1]:3/", Transport::Local),
            ("mongodb://db.example/?tls=true", Transport::Verified),
            ("mongodb://db.example/", Transport::Verified),
            ("mongodb://localhost,db.example/", Transport::Verified),
            ("mongodb://localhost,db.example/?tls=false", Transport::Weak("tls=false: nothing is encrypted")),
            (
                "mongodb://db.example/?tls=true&tlsInsecure=true",
                Transport::Weak("tlsAllowInvalidCertificates: the server's certificate is not checked"),
            ),
        ] {
            assert_eq!(transport(&parsed(uri, &none).await.unwrap()), expected, "{uri}");
        }
    }

    #[tokio::test]
    async fn files_turn_tls_on_and_are_read_at_once() {
        let missing = |name: &str| Some(PathBuf::from(format!("/no/such/{name}.pem")));
        let roots =
            MongoSettings { root_certificate_file: missing("roots"), ..MongoSettings::new("", "esoz") };
        let client =
            MongoSettings { client_certificate_file: missing("client"), ..MongoSettings::new("", "esoz") };
        for (uri, settings, expected) in [
            ("mongodb://db.example/", &roots, "/no/such/roots.pem cannot be read"),
            ("mongodb://db.example/?tls=true", &client, "/no/such/client.pem cannot be read"),
            (
                "mongodb://db.example/?tls=true&tlsCAFile=/nowhere",
                &MongoSettings::new("", ""),
                "/nowhere cannot be read",
            ),
            ("mongodb://db.example/?tls=false", &roots, "tls=false in it contradicts"),
        ] {
            let refused = parsed(uri, settings).await.unwrap_err().to_string();
            assert!(refused.contains(expected), "{uri}: {refused}");
        }
    }

    #[tokio::test]
    async fn without_a_file_the_authorities_of_the_platform_are_trusted() {
        let none = MongoSettings::new("", "esoz");
        for uri in ["mongodb://db.example/?tls=true", "mongodb://db.example/"] {
            let parsed = parsed(uri, &none).await.unwrap();
            let Some(Tls::Enabled(tls)) = parsed.tls else { panic!("no TLS") };
            assert_eq!(tls.ca_file_path, platform_root_file());
            assert!(tls.ca_file_path.as_deref().is_none_or(Path::exists));
        }
        assert_eq!(parsed("mongodb://localhost/", &none).await.unwrap().tls, None);
    }
}
