//! See `waxseal_fuzz::email_address`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::email_address(data));
