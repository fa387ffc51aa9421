//! See `waxseal_fuzz::mta_sts_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::mta_sts_record(data));
