//! See `waxseal_fuzz::intake_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::intake_session(data));
