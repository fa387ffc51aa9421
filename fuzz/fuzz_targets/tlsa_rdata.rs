//! See `waxseal_fuzz::tlsa_rdata`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::tlsa_rdata(data));
