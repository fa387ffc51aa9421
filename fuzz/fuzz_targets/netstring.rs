//! See `waxseal_fuzz::netstring`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::netstring(data));
