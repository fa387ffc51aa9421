//! See `waxseal_fuzz::smtp_dialogue`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::smtp_dialogue(data));
