//! See `waxseal_fuzz::dkim_signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::dkim_signature(data));
