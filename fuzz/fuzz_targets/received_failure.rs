//! See `waxseal_fuzz::received_failure`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::received_failure(data));
