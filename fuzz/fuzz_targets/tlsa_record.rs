//! See `waxseal_fuzz::tlsa_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::tlsa_record(data));
