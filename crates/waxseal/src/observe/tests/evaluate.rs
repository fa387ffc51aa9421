//! The loop: needs are met side by side, within bounds.

use std::time::{Duration, Instant};

use domain::base::iana::Rtype;
use smtp_types::{DnsFailure, HttpsFailure, HttpsQuestion, Known, Need, RecordType, all, both};

use super::dns_server::{DnsServer, Response, mx};
use super::https_server::{Authority, PATH, settings};
use super::{name, question};
use crate::observe::{Bounds, Effort, ObserveError, Observer, PolicyFetcher, Question};

fn observer(dns: &DnsServer) -> Observer {
    let resolver = std::sync::Arc::new(dns.impatient_resolver());
    let fetcher = PolicyFetcher::new(resolver.clone(), settings(&Authority::new(), 443)).unwrap();
    Observer::new(resolver, fetcher.into())
}

/// How many addresses the mail exchangers of x.test have, and whether it has a policy.
fn evaluation(known: &Known) -> Result<(usize, bool), Need> {
    let policy_question = HttpsQuestion { host: name("mta-sts.x.test"), path: PATH };
    let exchangers = question("x.test", RecordType::Mx);
    let (reply, policy) = both(known.dns(&exchangers), known.https(&policy_question))?;
    let hosts = reply.iter().flat_map(|answer| answer.mx()).flat_map(|mx| &mx.exchange);
    let replies = all(hosts.map(|host| known.dns(&question(host.as_str(), RecordType::A))))?;
    let addresses = replies.into_iter().flatten().map(|answer| answer.addresses().count());
    Ok((addresses.sum(), policy.is_ok()))
}

#[tokio::test]
async fn needs_are_met_side_by_side_and_failures_are_answers() {
    // Forty hosts whose addresses are not answered: one after the other it would take long.
    let dns = DnsServer::start(|query| {
        let hosts = (0..40).map(|i| mx("x.test", 60, i, &format!("mx{i}.test")));
        match query.record_type {
            Rtype::MX => Some(Response::records(hosts.collect()).to(query)),
            _ if query.name.starts_with("mta-sts") => Some(Response::records(vec![]).to(query)),
            _ => None,
        }
    })
    .await;
    let (mut known, mut effort) = (Known::default(), Effort::default());
    let start = Instant::now();
    let outcome = observer(&dns).evaluate_measured(&mut known, &mut effort, evaluation).await;
    assert_eq!(outcome, Ok((0, false)));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());

    assert_eq!((effort.rounds, effort.asked.len()), (2, 42));
    let slow = effort.asked.iter().filter(|asked| asked.duration.as_millis() >= 400);
    assert!(slow.clone().all(|asked| asked.round == 2));
    assert_eq!(slow.count(), 40);
    let (_, policy) = known.all_https().next().unwrap();
    assert_eq!(policy, &Err(HttpsFailure::NoAddress));
    let failures =
        known.all_dns().filter(|(_, reply)| matches!(reply, Err(DnsFailure::Temporary { .. })));
    assert_eq!(failures.count(), 40);
}

#[tokio::test]
async fn what_is_known_is_not_asked_again() {
    let dns = DnsServer::always(Response::records(vec![])).await;
    let mut known = Known::default();
    let observer = observer(&dns);
    observer.evaluate(&mut known, evaluation).await.unwrap();
    let queries = dns.queries().len();
    // In a task of its own, as a server does it.
    let again = async move { observer.evaluate(&mut known, evaluation).await };
    tokio::spawn(again).await.unwrap().unwrap();
    assert_eq!(dns.queries().len(), queries);
}

#[tokio::test]
async fn answers_that_hold_are_kept_if_there_is_a_memory() {
    for (ttl, memory, expected) in [(60, true, 1), (60, false, 2), (0, true, 2)] {
        let dns = DnsServer::start(move |query| {
            Some(Response::records(vec![mx("x.test", ttl, 0, "mx.test")]).to(query))
        })
        .await;
        let memory = memory.then(std::sync::Arc::default);
        let observer = Observer { memory, ..observer(&dns) };
        let exchangers = question("x.test", RecordType::Mx);
        for _ in 0..2 {
            let hosts = |known: &Known| {
                Ok(known.dns(&exchangers)?.as_ref().map(|answer| answer.mx().count()).ok())
            };
            let found = observer.evaluate(&mut Known::default(), hosts).await;
            assert_eq!(found, Ok(Some(1)));
        }
        assert_eq!(dns.queries().len(), expected, "{ttl}");
    }
}

#[tokio::test]
async fn rounds_are_bounded() {
    let dns = DnsServer::always(Response::records(vec![])).await;
    let observer = Observer { bounds: Bounds { rounds: 3, ..Bounds::default() }, ..observer(&dns) };
    let mut effort = Effort::default();
    let chain = |length: usize| {
        move |known: &Known| -> Result<(), Need> {
            for i in 0..length {
                let _ = known.dns(&question(&format!("n{i}.test"), RecordType::A))?;
            }
            Ok(())
        }
    };
    let outcome = observer.evaluate(&mut Known::default(), chain(3)).await;
    assert_eq!(outcome, Ok(()));
    let mut known = Known::default();
    let outcome = observer.evaluate_measured(&mut known, &mut effort, chain(4)).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, ObserveError::TooManyRounds { limit: 3, .. }));
    let text = "look-ups: expected at most 3 one after the other, found more: A n3.test";
    assert_eq!(error.to_string(), text);
    assert_eq!(effort.asked[0].question, Question::Dns(question("n0.test", RecordType::A)));
}

#[tokio::test]
async fn questions_are_bounded() {
    let dns = DnsServer::always(Response::records(vec![])).await;
    let many = |known: &Known| {
        all((0..201).map(|i| known.dns(&question(&format!("n{i}.test"), RecordType::A))))
            .map(|replies| replies.len())
    };
    let outcome = observer(&dns).evaluate(&mut Known::default(), many).await;
    assert!(matches!(outcome, Err(ObserveError::TooManyQuestions { limit: 200, .. })));
    assert!(dns.queries().is_empty());
}

#[tokio::test]
async fn an_evaluation_that_asks_for_what_it_has_is_stopped() {
    let dns = DnsServer::always(Response::records(vec![])).await;
    let stubborn = |_: &Known| -> Result<(), Need> {
        Known::default().dns(&question("x.test", RecordType::A)).map(|_| ())
    };
    let outcome = observer(&dns).evaluate(&mut Known::default(), stubborn).await;
    assert!(matches!(outcome, Err(ObserveError::NoProgress { .. })));
}
