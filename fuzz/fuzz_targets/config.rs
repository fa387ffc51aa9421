//! See `waxseal_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::config(data));
