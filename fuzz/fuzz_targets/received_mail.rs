//! See `waxseal_fuzz::received_mail`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::received_mail(data));
