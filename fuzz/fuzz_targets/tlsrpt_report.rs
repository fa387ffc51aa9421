//! See `waxseal_fuzz::tlsrpt_report`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::tlsrpt_report(data));
