//! See `waxseal_fuzz::domain_name`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::domain_name(data));
