#![no_main]
esoz_fuzz_targets::fuzz!("import_line");
