//! See `waxseal_fuzz::milter_field`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::milter_field(data));
