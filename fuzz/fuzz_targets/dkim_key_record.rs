//! See `waxseal_fuzz::dkim_key_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::dkim_key_record(data));
