//! Reporters that fell silent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Problem;
use super::catalogue::cause;
use super::evidence::{Evidence, Sum};
use crate::store::ReceivedKind;

/// On how many days somebody must have reported to be missed.
const USUAL_DAYS: usize = 7;

/// For how many days he must be silent.
const SILENT_DAYS: u64 = 4;

pub(super) fn find(evidence: &Evidence, problems: &mut Vec<Problem>) {
    for (domain, tls) in evidence.tls() {
        of_domain(domain, &tls.days, ReceivedKind::Tls, "tls-reporter-silent", problems);
    }
    for (domain, dmarc) in evidence.dmarc() {
        of_domain(domain, &dmarc.days, ReceivedKind::Dmarc, "dmarc-reporter-silent", problems);
    }
}

fn of_domain(
    domain: &str,
    days: &BTreeMap<(u64, Arc<str>), Sum>,
    kind: ReceivedKind,
    id: &str,
    problems: &mut Vec<Problem>,
) {
    let Some(((newest, _), _)) = days.last_key_value() else { return };
    let mut by_reporter: BTreeMap<&Arc<str>, BTreeSet<u64>> = BTreeMap::new();
    for (day, reporter) in days.keys() {
        by_reporter.entry(reporter).or_default().insert(*day);
    }
    for (reporter, days) in by_reporter {
        let (Some(first), Some(last)) = (days.first(), days.last()) else { continue };
        if days.len() < USUAL_DAYS || newest.saturating_sub(*last) < SILENT_DAYS {
            continue;
        }
        problems.push(Problem {
            cause: cause(id),
            kind,
            domain: domain.to_owned(),
            names: BTreeMap::from([("reporter", reporter.to_string())]),
            first: *first,
            last: *last,
            lost: 0,
            of: 0,
            reporters: vec![(reporter.to_string(), 0)],
            sources: Vec::new(),
            reasons: Vec::new(),
        });
    }
}
