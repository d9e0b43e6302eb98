use std::sync::{Mutex, MutexGuard, PoisonError};

use esoz_tls::LastGood;

use crate::{BusError, KafkaSettings, credentials::Credentials};

/// A client of librdkafka, which keeps the password and the certificates that it was made with: it is made anew when their files hold something
/// else. Must be used inside a Tokio runtime.
pub(crate) struct Renewed<C> {
    settings: KafkaSettings,
    credentials: LastGood<Credentials>,
    /// The credentials that were tried last, and the client.
    current: Mutex<(Credentials, C)>,
}

impl<C: Clone + Send + 'static> Renewed<C> {
    /// Makes the client.
    ///
    /// # Errors
    /// [`BusError::Settings`] when a file cannot be used, or as `make`.
    pub(crate) fn new(
        settings: &KafkaSettings,
        make: impl FnOnce(&KafkaSettings, &Credentials) -> Result<C, BusError>,
    ) -> Result<Self, BusError> {
        let last = LastGood::default();
        let credentials = last.refresh("", || settings.credentials())?;
        let client = make(settings, &credentials)?;
        Ok(Self { settings: settings.clone(), credentials: last, current: Mutex::new((credentials, client)) })
    }

    /// The client as it is.
    pub(crate) fn get(&self) -> C {
        self.lock().1.clone()
    }

    /// The client, made anew by `make` if the files changed. What cannot be used leaves the one before in use.
    pub(crate) fn renewed(
        &self,
        make: impl FnOnce(&KafkaSettings, &Credentials) -> Result<C, BusError>,
    ) -> C {
        let read = self.credentials.refresh("a file of Kafka's", || self.settings.credentials());
        let mut current = self.lock();
        if let Ok(credentials) = read
            && credentials != current.0
        {
            match make(&self.settings, &credentials) {
                Ok(client) => {
                    let (_, former) = std::mem::replace(&mut *current, (credentials, client));
                    // Dropping a client blocks until its threads end, and those who use it have let go of it.
                    tokio::task::spawn_blocking(move || drop(former));
                    tracing::info!("the password or the certificates of Kafka changed and are in use");
                }
                Err(error) => {
                    // Not tried again, nor logged again, until the files change once more.
                    current.0 = credentials;
                    tracing::error!(%error, "the new password or certificates of Kafka cannot be used");
                }
            }
        }
        current.1.clone()
    }

    fn lock(&self) -> MutexGuard<'_, (Credentials, C)> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use esoz_tls::SecretSource;

    use super::*;
    use crate::{PasswordMechanism, Sasl};

    #[tokio::test]
    async fn given_credentials_that_were_refused_when_they_have_not_changed_then_they_are_not_tried_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let replace = |password: &str| std::fs::write(file.path(), password).unwrap();
        let sasl = Sasl::Password {
            mechanism: PasswordMechanism::Plain,
            username: String::from("esoz"),
            password: SecretSource::File(file.path().to_owned()),
        };
        let settings = KafkaSettings { sasl: Some(sasl), ..KafkaSettings::new("localhost:9092", "topic") };
        replace("first");
        let client = Renewed::new(&settings, |_, _| Ok(1)).unwrap();

        replace("refused");
        assert_eq!(client.renewed(|_, _| Err(BusError::settings("properties", "they are refused"))), 1);
        assert_eq!(client.renewed(|_, _| panic!("tried again")), 1);
        replace("second");
        assert_eq!(client.renewed(|_, _| Ok(2)), 2);
    }
}
