//! See `waxseal_fuzz::smtp_reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::smtp_reply(data));
