//! See `waxseal_fuzz::imap_response`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::imap_response(data));
