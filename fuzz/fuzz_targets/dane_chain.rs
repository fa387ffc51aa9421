//! See `waxseal_fuzz::dane_chain`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::dane_chain(data));
