//! See `waxseal_fuzz::attachment_scanner`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::attachment_scanner(data));
