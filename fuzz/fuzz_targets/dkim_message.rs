//! See `waxseal_fuzz::dkim_message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::dkim_message(data));
