//! See `waxseal_fuzz::spf_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::spf_record(data));
