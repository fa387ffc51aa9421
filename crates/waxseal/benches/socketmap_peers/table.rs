//! The domains that are asked for, what they publish, and how often each is asked for.

use std::error::Error;

use ::waxseal::answer::Replies;
use mta_sts::Policy;
use smtp_types::NextHop;
use transport_policy::{Answer, Decision, Reason};

/// What the domains publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// An enforced policy with two hosts, each domain. The most memory, and the longest replies.
    Secure,
    /// Of 50 domains, 46 nothing, 3 TLSA records, 1 an enforced policy.
    Typical,
}

/// The name of a domain.
pub(crate) fn domain(index: usize) -> String {
    format!("d{index:07}.example")
}

/// The replies for a domain.
pub(crate) fn replies(index: usize, mix: Mix) -> Result<Replies, Box<dyn Error>> {
    let domain = domain(index);
    let answer = match (mix, index % 50) {
        (Mix::Secure, _) | (Mix::Typical, 0) => {
            let policy = format!(
                "version: STSv1\nmode: enforce\nmx: mx.{domain}\nmx: *.mail.{domain}\n\
                 max_age: 604800\n"
            );
            Answer::Secure(Policy::parse(policy.as_bytes())?)
        }
        (Mix::Typical, 1..=3) => Answer::DaneOnly,
        (Mix::Typical, _) => Answer::NoPolicy,
    };
    let decision = Decision { answer, reasons: vec![Reason::NoDane] };
    Ok(Replies::new(&NextHop::parse(&domain)?, &decision))
}

/// 65,536 domains as they are asked for: the one of rank n is 1/n as frequent as the first (Zipf).
/// The same in every run.
pub(crate) fn asked_for(domains: usize) -> Vec<usize> {
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=domains)
        .map(|rank| {
            #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
            let rank = rank as f64;
            sum += 1.0 / rank;
            sum
        })
        .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..65_536)
        .map(|_| {
            // xorshift64; its upper half makes a number from 0 to 1.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let uniform = f64::from((state >> 32) as u32) / f64::from(u32::MAX);
            cumulative.partition_point(|&reached| reached < uniform * sum).min(domains - 1)
        })
        .collect()
}
