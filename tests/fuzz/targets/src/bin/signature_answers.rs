#![no_main]
esoz_fuzz_targets::fuzz!("signature_answers");
