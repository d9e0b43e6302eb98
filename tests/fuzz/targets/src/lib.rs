//! What the programs have in common.

pub use esoz_fuzz;
pub use libfuzzer_sys;

/// The program of one target.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        thread_local! {
            static TARGET: fn(&[u8]) = $crate::esoz_fuzz::named($name).expect("a target").run;
        }

        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET.with(|run| run(data)));
    };
}
