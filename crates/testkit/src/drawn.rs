//! Tests of what is drawn at random, and of the same again whatever was once found.

use proptest::test_runner::{Config, FailurePersistence, FileFailurePersistence, TestRunner};

/// Tries that many cases, or as many as `PROPTEST_CASES` says. `source` is the test's file (`file!()`), beside which is kept what was found.
pub fn runner(cases: u32, source: &'static str) -> TestRunner {
    let default = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    let regressions: Box<dyn FailurePersistence> =
        Box::new(FileFailurePersistence::WithSource("regressions"));
    let failure_persistence = Some(regressions);
    TestRunner::new(Config { cases, failure_persistence, source_file: Some(source), ..default })
}
