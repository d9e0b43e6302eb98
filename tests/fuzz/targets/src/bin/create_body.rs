#![no_main]
esoz_fuzz_targets::fuzz!("create_body");
