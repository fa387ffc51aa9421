//! See `waxseal_fuzz::milter_packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::milter_packet(data));
