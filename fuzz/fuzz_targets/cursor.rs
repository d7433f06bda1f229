#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lmo_checks::cursor(bytes));
