//! See `waxseal_fuzz::milter_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::milter_session(data));
