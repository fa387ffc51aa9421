//! See `waxseal_fuzz::dmarc_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::dmarc_record(data));
