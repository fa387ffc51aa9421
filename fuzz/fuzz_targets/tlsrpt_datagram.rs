//! See `waxseal_fuzz::tlsrpt_datagram`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::tlsrpt_datagram(data));
