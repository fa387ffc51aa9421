//! See `waxseal_fuzz::socketmap_reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::socketmap_reply(data));
