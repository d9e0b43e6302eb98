#![no_main]
esoz_fuzz_targets::fuzz!("patient_keys");
