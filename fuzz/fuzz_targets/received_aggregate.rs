//! See `waxseal_fuzz::received_aggregate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::received_aggregate(data));
