//! See `waxseal_fuzz::dmarc_failure_report`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::dmarc_failure_report(data));
