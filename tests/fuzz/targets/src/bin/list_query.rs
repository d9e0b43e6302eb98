#![no_main]
esoz_fuzz_targets::fuzz!("list_query");
