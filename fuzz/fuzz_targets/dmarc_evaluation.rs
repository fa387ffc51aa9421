//! See `waxseal_fuzz::dmarc_evaluation`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::dmarc_evaluation(data));
