#![no_main]
esoz_fuzz_targets::fuzz!("complete_content");
