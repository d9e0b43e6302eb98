#![no_main]
esoz_fuzz_targets::fuzz!("stop_body");
