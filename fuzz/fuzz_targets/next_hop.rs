//! See `waxseal_fuzz::next_hop`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| waxseal_fuzz::next_hop(data));
