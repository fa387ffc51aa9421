//! See `waxseal_fuzz::dmarc_report_uri`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::dmarc_report_uri(data));
