//! See `waxseal_fuzz::mx_pattern`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::mx_pattern(data));
