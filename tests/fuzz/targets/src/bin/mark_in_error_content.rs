#![no_main]
esoz_fuzz_targets::fuzz!("mark_in_error_content");
