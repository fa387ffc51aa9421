//! Counters, in the text form that Prometheus reads.
//!
//! Counters live where the work is done, as plain atomics; here they are given names and help
//! texts, once, when somebody asks for them.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::answer::SocketmapCounters;
use crate::collect::Collector as TlsCollector;
use crate::config::FileHealth;
use crate::gate::counters::GateCounters;
use crate::gate::milter::MilterCounters;
use crate::gate::recent::Recent;
use crate::keys::Signers;
use crate::observe::Validation;
use crate::report::{ReportCount, Reporter};
use crate::sender::{Counter, REFRESH_ALARM_AFTER, Sender, SenderCounters};

/// Everything that is watched, in one place.
pub struct Metrics {
    /// The role.
    pub sender: Arc<Sender>,
    /// The gate, if there is one.
    pub gate: Option<Watched>,
    /// The keys that sign, if anybody signs.
    pub signers: Option<Arc<Signers>>,
    /// The reporter, if there is one.
    pub reporter: Option<Arc<Reporter>>,
    /// The collector of TLS sessions, if there is one.
    pub collector: Option<Arc<TlsCollector>>,
    /// The socketmap server.
    pub socketmap: Arc<SocketmapCounters>,
}

/// What of the gate is shown to those who watch.
#[derive(Clone)]
pub struct Watched {
    /// What it counts.
    pub gate: Arc<GateCounters>,
    /// The verdicts that it has given lately.
    pub recent: Arc<Recent>,
    /// The milter server.
    pub milter: Arc<MilterCounters>,
}

impl Watched {
    fn counters(&self) -> Vec<Row> {
        let Self { gate, milter, .. } = self;
        let number = |name, help, value| Row { name, help, label: "", values: vec![("", value)] };
        let (actions, dmarc) = (gate.actions().collect(), gate.dmarc().collect());
        let row = |name, help, label, values| Row { name, help, label, values };
        vec![
            row("gate_verdicts", "Incoming messages by what was done", "action", actions),
            row("gate_dmarc", "Incoming messages by result of DMARC", "result", dmarc),
            number("gate_identified", "Authors identified beyond doubt", gate.identified()),
            number("gate_forwarded", "Messages that look forwarded", gate.forwarded()),
            number(
                "gate_attachments_refused",
                "Messages refused for an attachment",
                gate.refused_attachments(),
            ),
            number("gate_signed", "Outgoing messages that were signed", gate.signed()),
            number("gate_unsigned", "Outgoing messages that nobody signs", gate.unsigned()),
            number("gate_faults", "Messages not judged by a fault or deadline", gate.faults()),
            number("milter_connections", "Connections of mail servers", milter.accepted()),
            number("milter_refused", "Connections refused, too many were open", milter.refused()),
            number(
                "milter_malformed",
                "Connections closed for a malformed packet",
                milter.malformed(),
            ),
            number(
                "milter_timeouts",
                "Connections closed because they stalled",
                milter.timed_out(),
            ),
        ]
    }
}

/// How the program is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// In one word.
    pub status: Status,
    /// What is not as it should be, for people.
    pub notes: Vec<String>,
}

/// Health in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// All is well.
    Ok,
    /// Mail is protected, and somebody should look.
    Degraded,
    /// A protection is off: DANE, because nothing validates.
    Unprotected,
}

impl Status {
    /// `ok`, `degraded` or `unprotected`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unprotected => "unprotected",
        }
    }

    /// Whether a watcher may be content.
    #[must_use]
    pub const fn is_serving(self) -> bool {
        matches!(self, Self::Ok | Self::Degraded)
    }
}

impl Metrics {
    /// How the program is doing now.
    pub async fn health(&self) -> Health {
        let mut status = Status::Ok;
        let mut notes = Vec::new();
        let mut note = |found: Status, text: String| {
            status = status.max(found);
            notes.push(text);
        };
        let validation = self.sender.observer().resolver.validation();
        if !validation.is_believed() {
            note(Status::Unprotected, validation.to_string());
        } else if *validation == Validation::Unproved {
            note(Status::Degraded, validation.to_string());
        }
        let store = self.sender.remembered().health();
        if store.unsaved > 0 {
            let text = format!(
                "{} policies are only in memory: the store does not take them",
                store.unsaved
            );
            note(Status::Degraded, text);
        }
        if self.collector.as_ref().is_some_and(|collector| !collector.disk_is_fine()) {
            let text = "TLS sessions for reports are only in memory: the store does not take them";
            note(Status::Degraded, text.to_owned());
        }
        if let FileHealth::KeptOld { errors } = self.sender.overrides().health() {
            let first = errors.first().map(String::as_str).unwrap_or_default();
            note(
                Status::Degraded,
                format!("overrides: the set from before stays in force: {first}"),
            );
        }
        for ended in self.sender.overrides().current().expired(self.sender.clock().now()) {
            let (scope, line) = (&ended.scope, ended.line);
            note(Status::Ok, format!("overrides: line {line}: the one for {scope} has ended"));
        }
        let failing = self.failing_policies().await;
        if failing > 0 {
            note(Status::Degraded, format!("{failing} remembered policies cannot be refreshed"));
        }
        let open = self.sender.sentinel().open();
        if open > 0 {
            note(Status::Degraded, format!("{open} domains disagree with their remembered policy"));
        }
        Health { status, notes }
    }

    async fn failing_policies(&self) -> u64 {
        self.policies().await.1
    }

    /// How many policies are stored, and how many of them fail to refresh.
    async fn policies(&self) -> (u64, u64) {
        match self.sender.remembered().store() {
            Some(store) => store.count(REFRESH_ALARM_AFTER).await.unwrap_or_default(),
            None => (0, 0),
        }
    }

    /// All metrics as text, in the format of OpenMetrics.
    pub async fn render(&self) -> String {
        let (policies, failing) = self.policies().await;
        let mut registry = Registry::with_prefix("waxseal");
        registry.register_collector(Box::new(self.snapshot(policies, failing)));
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &registry) {
            Ok(()) => text,
            Err(error) => {
                tracing::error!(%error, "metrics cannot be written");
                String::new()
            }
        }
    }

    fn snapshot(&self, policies: u64, failing: u64) -> Snapshot {
        let sender = self.sender.counters();
        let socketmap = &self.socketmap;
        let store = self.sender.remembered().health();
        let validation = self.sender.observer().resolver.validation();
        let overrides_broken = self.sender.overrides().health() != FileHealth::InForce;
        let replies = socketmap.replies().map(|(kind, count)| (kind.as_str(), count)).collect();
        let decisions = SenderCounters::ANSWERS
            .into_iter()
            .zip(sender.decisions.iter().map(Counter::get))
            .collect();
        let sentinel = self.sender.sentinel();
        let number = |name, help, value| Row { name, help, label: "", values: vec![("", value)] };
        let usize_number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let mut snapshot = Snapshot {
            counters: vec![
                Row {
                    name: "socketmap_replies",
                    help: "Replies to mail servers",
                    label: "reply",
                    values: replies,
                },
                number(
                    "socketmap_lookups",
                    "Requests that memory could not answer",
                    socketmap.looked_up(),
                ),
                number("socketmap_connections", "Connections taken", socketmap.accepted()),
                number(
                    "socketmap_refused",
                    "Connections refused because too many were open",
                    socketmap.refused(),
                ),
                number(
                    "socketmap_malformed",
                    "Connections closed because of a malformed request",
                    socketmap.malformed(),
                ),
                number(
                    "socketmap_timeouts",
                    "Connections closed because a request or answer stalled",
                    socketmap.timed_out(),
                ),
                Row {
                    name: "decisions",
                    help: "Decisions made",
                    label: "answer",
                    values: decisions,
                },
                number("evaluations", "Next hops looked up", sender.evaluations.get()),
                number(
                    "lookups_joined",
                    "Requests that waited for the look-up of another",
                    sender.joined.get(),
                ),
                number(
                    "deadline_missed",
                    "Requests answered before the look-up was done",
                    sender.overdue.get(),
                ),
                number(
                    "faults",
                    "Look-ups that ended without a result: defects of waxseal",
                    sender.faults.get(),
                ),
                number("policy_fetches", "Policies fetched for a request", sender.fetches.get()),
                number(
                    "policy_fetch_failures",
                    "Fetches for a request that failed",
                    sender.failed_fetches.get(),
                ),
                number(
                    "policy_refreshes",
                    "Policies refreshed ahead of time",
                    sender.refreshes.get(),
                ),
                number(
                    "policy_refresh_failures",
                    "Refreshes that failed",
                    sender.failed_refreshes.get(),
                ),
                number(
                    "testing_probes",
                    "Mail hosts of domains in mode testing that were looked at",
                    sender.probes.get(),
                ),
                number(
                    "testing_probes_unseen",
                    "Such hosts that did not answer",
                    sender.probes_unseen.get(),
                ),
                number(
                    "testing_probes_dropped",
                    "Such hosts that were left out because too many waited",
                    sender.probes_dropped.get(),
                ),
                number(
                    "testing_failures",
                    "Failures that would have made mail wait in mode enforce",
                    sender.testing_failures.get(),
                ),
                number(
                    "observations_dropped",
                    "Observations for TLS reports that nobody took in time",
                    self.sender.observations_dropped(),
                ),
                Row {
                    name: "sentinel_alarms",
                    help: "Remembered policies that the world was found to disagree with",
                    label: "kind",
                    values: sentinel.raised().into_iter().collect(),
                },
                number("store_errors", "Failures of the store", store.errors),
            ],
            gauges: vec![
                number("socketmap_connections_open", "Connections open now", socketmap.open()),
                number(
                    "answers_in_memory",
                    "Answers in memory",
                    usize_number(self.sender.answers_in_memory()),
                ),
                number("policies", "Policies remembered", policies),
                number("policies_failing", "Remembered policies that cannot be refreshed", failing),
                number(
                    "policies_unsaved",
                    "Policies that the store does not take",
                    usize_number(store.unsaved),
                ),
                number(
                    "sentinel_open",
                    "Domains in disagreement with their policy",
                    usize_number(sentinel.open()),
                ),
                number(
                    "dnssec_believed",
                    "1 if the resolver's word on DNSSEC is believed, and DANE is on",
                    u64::from(validation.is_believed()),
                ),
                number(
                    "dnssec_proved",
                    "1 if the resolver was proved to validate",
                    u64::from(*validation == Validation::Proved),
                ),
                number(
                    "overrides_broken",
                    "1 if the override file was broken by an edit",
                    u64::from(overrides_broken),
                ),
            ],
        };
        if let Some(collector) = &self.collector {
            let counters = collector.counters().all();
            snapshot.counters.push(Row {
                name: "tls_sessions",
                help: "What became of TLS sessions on the way to reports",
                label: "event",
                values: counters.map(|(count, value)| (count.as_str(), value)).collect(),
            });
            snapshot.gauges.push(number(
                "tls_sessions_unsaved",
                "1 if the disk does not take what is counted",
                u64::from(!collector.disk_is_fine()),
            ));
        }
        if let Some(gate) = &self.gate {
            snapshot.counters.extend(gate.counters());
            let open = gate.milter.open();
            snapshot.gauges.push(number("milter_connections_open", "Connections open now", open));
        }
        if let Some(signers) = &self.signers {
            let domains = usize_number(signers.current().len());
            snapshot.gauges.push(number("dkim_domains", "Domains with keys that sign", domains));
        }
        if let Some(reporter) = &self.reporter {
            let row = |name, help, values: Vec<(ReportCount, u64)>| Row {
                name,
                help,
                label: "event",
                values: values.into_iter().map(|(count, value)| (count.as_str(), value)).collect(),
            };
            let counters = reporter.counters();
            snapshot.counters.extend([
                row(
                    "dmarc_reports",
                    "What became of messages and letters on the way to reports",
                    counters.all().collect(),
                ),
                row(
                    "tls_reports",
                    "What became of TLS reports and their letters",
                    reporter.tls_counters().of_letters().collect(),
                ),
            ]);
            snapshot.gauges.extend([
                number("outbox_waiting", "Letters that wait", counters.waiting()),
                number(
                    "outbox_suppressed",
                    "Addresses that get no letters now",
                    counters.suppressed_addresses(),
                ),
                number(
                    "reports_unsaved",
                    "1 if the disk does not take what is counted",
                    u64::from(!reporter.disk_is_fine()),
                ),
            ]);
        }
        snapshot
    }
}

/// A metric with its values; without a label there is one.
#[derive(Debug)]
struct Row {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: Vec<(&'static str, u64)>,
}

/// What all counters stood at when somebody asked.
#[derive(Debug)]
struct Snapshot {
    counters: Vec<Row>,
    gauges: Vec<Row>,
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for row in &self.counters {
            encode_row(&mut encoder, row, ConstCounter::new)?;
        }
        for row in &self.gauges {
            encode_row(&mut encoder, row, ConstGauge::new)?;
        }
        Ok(())
    }
}

fn encode_row<M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    row: &Row,
    metric: impl Fn(u64) -> M,
) -> Result<(), fmt::Error> {
    let kind = metric(0).metric_type();
    let mut rows = encoder.encode_descriptor(row.name, row.help, None, kind)?;
    for (word, value) in &row.values {
        if row.label.is_empty() {
            return metric(*value).encode(rows);
        }
        metric(*value).encode(rows.encode_family(&[(row.label, *word)])?)?;
    }
    Ok(())
}
