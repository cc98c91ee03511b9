#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| grantkeep_fuzz::leaves::challenge::run(data));
