#![no_main]
esoz_fuzz_targets::fuzz!("credentials");
