//! The macros that run the suites, one for each kind of store.

mod dispense_writes;
mod events;
mod stores;

/// Wraps each case of a suite into a test of a module that bears the suite's name.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_cases {
    ($fresh:path => $suite:ident: $($case:ident),+ $(,)?) => {
        mod $suite {
            use super::*;

            $(
                #[$crate::tokio::test(
                    flavor = "multi_thread",
                    worker_threads = 4,
                    crate = "::esoz_testkit::tokio"
                )]
                async fn $case() {
                    $crate::contract::$suite::$case($fresh().await).await;
                }
            )+
        }
    };
}
