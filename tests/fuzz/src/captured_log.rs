//! The log of the service, kept for the target that looks into it.

use std::ffi::OsString;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use esoz::Config;
use opentelemetry_sdk::trace::SdkTracer;

/// Lines as `esoz serve` writes them, down to the least severe.
pub(crate) fn subscriber(log: CapturedLog) -> impl tracing::Subscriber + Send + Sync + 'static {
    let settings = [("ESOZ_LOG__FORMAT", "json"), ("ESOZ_LOG__LEVEL", "trace")];
    let environment = settings.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let config = Config::from_sources(None, environment.into_iter()).expect("a configuration");
    esoz::subscriber(&config, move || log.clone(), false, None::<SdkTracer>).expect("a subscriber")
}

/// What was logged and not yet taken.
#[derive(Clone, Default)]
pub(crate) struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl CapturedLog {
    pub(crate) fn take(&self) -> String {
        let lines = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        String::from_utf8(lines).expect("a log is text")
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
