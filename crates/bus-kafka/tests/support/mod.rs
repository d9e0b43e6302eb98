//! A topic of a test's own.

use esoz_kernel::{IdGenerator as _, system::RandomIds};

/// The name of a topic that nobody else uses.
pub(crate) fn topic_name() -> String {
    format!("esoz-test-{}", RandomIds.fresh().simple())
}
