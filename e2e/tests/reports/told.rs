//! What the sending side must have counted in each case, and what the receiving side must make of it.

use e2e::reporting::Way;
use serde_json::Value;

/// What is expected of a case.
pub(crate) struct Told {
    /// The case.
    pub(crate) case: &'static str,
    /// Where its domain wants reports.
    pub(crate) way: Way,
    /// A line for each policy, with the number of sessions that succeeded and failed, and for each
    /// failure: result type, how many, and the mail host.
    pub(crate) sessions: &'static [&'static str],
    /// The causes, in the order of their names.
    pub(crate) causes: &'static [&'static str],
}

/// What was counted of the one letter to `rua.test`.
pub(crate) const RUA: &[&str] = &["tlsa 0 1", "  certificate-not-trusted 1 mx.rua.test"];

/// All cases that are run.
pub(crate) const CASES: &[Told] = &[
    Told { case: "none/healthy", way: Way::Mail, sessions: &["no-policy-found 1 0"], causes: &[] },
    Told { case: "enforce/healthy", way: Way::Both, sessions: &["sts 1 0"], causes: &[] },
    Told {
        case: "enforce/starttls-stripped",
        way: Way::Https,
        sessions: &["sts 0 1", "  starttls-not-supported 1 mx.enforce-starttls-stripped.test"],
        causes: &["tls-starttls-all"],
    },
    Told {
        case: "enforce/wrong-certificate",
        way: Way::Https,
        sessions: &["sts 0 1", "  certificate-host-mismatch 1 mx.enforce-wrong-certificate.test"],
        causes: &["tls-host-mismatch"],
    },
    Told {
        case: "enforce/self-signed",
        way: Way::Both,
        sessions: &["sts 0 1", "  validation-failure 1 mx.enforce-self-signed.test"],
        causes: &["tls-not-trusted"],
    },
    Told {
        case: "enforce/expired",
        way: Way::Https,
        sessions: &["sts 0 1", "  certificate-expired 1 mx.enforce-expired.test"],
        causes: &["tls-certificate-expired"],
    },
    // Postfix has told of the mail server, and Waxseal of the policy host.
    Told {
        case: "enforce/policy-host-down",
        way: Way::Https,
        sessions: &[
            "sts 0 2",
            "  starttls-not-supported 1 mx.enforce-policy-host-down.test",
            "  sts-policy-fetch-error 1 -",
        ],
        causes: &["tls-policy-host-down", "tls-starttls-all"],
    },
    Told {
        case: "enforce/policy-host-wrong-certificate",
        way: Way::Https,
        sessions: &[
            "sts 0 2",
            "  starttls-not-supported 1 mx.enforce-policy-host-wrong-certificate.test",
            "  sts-webpki-invalid 1 -",
        ],
        causes: &["tls-policy-host-tls", "tls-starttls-all"],
    },
    Told {
        case: "dane/tlsa-mismatch",
        way: Way::Mail,
        sessions: &["tlsa 0 1", "  certificate-not-trusted 1 mx.dane-tlsa-mismatch.test"],
        causes: &["tls-tlsa-mismatch"],
    },
    // The letter went out without policy, and Waxseal has looked at the mail server.
    Told {
        case: "testing/wrong-certificate",
        way: Way::Mail,
        sessions: &[
            "no-policy-found 1 0",
            "sts 0 1",
            "  certificate-host-mismatch 1 mx.testing-wrong-certificate.test",
        ],
        causes: &["tls-host-mismatch"],
    },
    Told {
        case: "testing/expired",
        way: Way::Mail,
        sessions: &[
            "no-policy-found 1 0",
            "sts 0 1",
            "  certificate-expired 1 mx.testing-expired.test",
        ],
        causes: &["tls-certificate-expired"],
    },
    // The letter went out without TLS, of which Postfix tells nothing.
    Told {
        case: "testing/starttls-stripped",
        way: Way::Mail,
        sessions: &["sts 0 1", "  starttls-not-supported 1 mx.testing-starttls-stripped.test"],
        causes: &["tls-starttls-all"],
    },
];

/// A report, as [`Told::sessions`] has it.
pub(crate) fn lines(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut lines = Vec::new();
    for policy in report["policies"].as_array().into_iter().flatten() {
        let summary = &policy["summary"];
        lines.push(format!(
            "{} {} {}",
            text(&policy["policy"]["policy-type"]),
            summary["total-successful-session-count"],
            summary["total-failure-session-count"]
        ));
        for failure in policy["failure-details"].as_array().into_iter().flatten() {
            lines.push(format!(
                "  {} {} {}",
                text(&failure["result-type"]),
                failure["failed-session-count"],
                text(&failure["receiving-mx-hostname"])
            ));
        }
    }
    lines
}
