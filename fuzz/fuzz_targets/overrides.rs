//! See `waxseal_fuzz::overrides`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::overrides(data));
