//! See `waxseal_fuzz::tlsrpt_names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::tlsrpt_names(data));
