#![no_main]
esoz_fuzz_targets::fuzz!("signed_body");
