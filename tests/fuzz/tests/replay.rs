//! Every input that fuzzing has kept, on the compiler of everybody, without a fuzzer.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use esoz_fuzz::{Target, all, corpus};

/// Runs every seed, every kept input and everything that once broke a target.
fn replay(name: &str) {
    let target = esoz_fuzz::named(name).unwrap();
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{name} has no example");
    let kept = corpus::kept(&target).unwrap();
    assert!(!kept.is_empty() && kept.len() <= corpus::MAX_INPUTS, "{name} keeps {} inputs", kept.len());
    for input in seeds.iter().chain(&kept) {
        (target.run)(input);
    }
    for (_, input) in corpus::broken_once(&target).unwrap() {
        (target.run)(&input);
    }
}

macro_rules! replayed {
    ($($name:ident)+) => {
        $(#[test] fn $name() { replay(stringify!($name)); })+

        #[test]
        fn every_target_is_replayed_and_has_a_program_of_its_own() {
            let replayed = BTreeSet::from([$(stringify!($name)),+]);
            let targets: BTreeSet<&str> = all().iter().map(|target: &Target| target.name).collect();
            assert_eq!(targets, replayed);
            let folder = corpus::home().join("targets/src/bin");
            let programs: BTreeSet<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
                .collect();
            assert_eq!(programs, targets.iter().map(ToString::to_string).collect());
        }
    };
}

replayed! {
    request credentials stop_body update_body create_body signed_body complete_content mark_in_error_content list_query texts patient_keys jwt jwks
    token_answers signed_container signature_answers import_line import_file
    mongo_document mongo_outbox sqlite_document sqlite_outbox config
}
