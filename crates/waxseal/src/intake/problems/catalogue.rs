//! The causes: one entry for each, with what is told to people. Long, because it is data: each entry
//! can be read alone. How a cause is recognized is said in words here and done in `tls`, `dmarc` and
//! `silence`; each entry has a scenario in the tests.

/// Who is to blame; the order is that in which people want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blame {
    /// Something of ours is wrong, and mail is lost or about to be.
    Ours,
    /// Somebody may be between a sender and us, or sends in our name.
    Attack,
    /// Something of the reporter's is wrong.
    Theirs,
    /// Nothing is wrong. It is good to know, or a step can be made.
    Notice,
}

impl Blame {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Attack => "attack-suspected",
            Self::Theirs => "reporter",
            Self::Notice => "notice",
        }
    }

    /// The words for it to people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ours => "to be fixed by you",
            Self::Attack => "attack suspected",
            Self::Theirs => "on the reporter's side",
            Self::Notice => "good to know",
        }
    }
}

/// A cause. In its texts `{domain}` and other names stand for what a problem is about.
#[derive(Debug, PartialEq, Eq)]
pub struct Cause {
    /// A stable name for machines.
    pub id: &'static str,
    /// Who is to blame.
    pub blame: Blame,
    /// One line.
    pub title: &'static str,
    /// How it is recognized.
    pub sign: &'static str,
    /// Why it is so, and what it means.
    pub why: &'static str,
    /// What to do, step by step.
    pub fix: &'static [&'static str],
}

/// The cause of this name. A name that is not in the catalogue is a fault of ours, shown as such.
pub(super) fn cause(id: &str) -> &'static Cause {
    CATALOGUE.iter().find(|cause| cause.id == id).unwrap_or(&UNNAMED)
}

const UNNAMED: Cause = Cause {
    id: "unnamed",
    blame: Blame::Notice,
    title: "Something that has no name yet",
    sign: "A fault of this program.",
    why: "The search has found a cause that its catalogue does not have.",
    fix: &["Tell the authors of this program."],
};

/// All causes.
pub static CATALOGUE: &[Cause] = &[
    Cause {
        id: "tls-certificate-expired",
        blame: Blame::Ours,
        title: "The certificate of {mx} has expired",
        sign: "certificate-expired, or a reason that says so.",
        why: "Senders that check certificates (MTA-STS in mode enforce, DANE with a CA) do not \
              deliver to {mx} until it has a valid one. Others go on as before, so you may not \
              notice.",
        fix: &[
            "Renew the certificate of {mx}, and let the mail server load it (postfix reload).",
            "Look at it: openssl s_client -starttls smtp -connect {mx}:25 </dev/null | openssl \
             x509 -noout -dates",
            "Let the renewal reload the mail server by itself: most expired certificates were \
             renewed on disk and never loaded.",
        ],
    },
    Cause {
        id: "tls-host-mismatch",
        blame: Blame::Ours,
        title: "The certificate of {mx} is made for another name",
        sign: "certificate-host-mismatch while the MX is one of the policy's.",
        why: "With MTA-STS the name in the certificate must be the name of the MX host as it stands \
              in the DNS, {mx}, and not that of the mail domain (RFC 8461 section 4.1).",
        fix: &[
            "Get a certificate whose DNS names include {mx}, and load it into the mail server.",
            "If several names share one address, choose the certificate by SNI \
             (tls_server_sni_maps in Postfix).",
        ],
    },
    Cause {
        id: "tls-not-trusted",
        blame: Blame::Ours,
        title: "Senders do not trust the certificate of {mx}",
        sign: "certificate-not-trusted, or validation-failure with a reason about the chain.",
        why: "The chain does not lead to a CA that senders know: most often the intermediate \
              certificate is missing, or the certificate is self-signed.",
        fix: &[
            "Configure the full chain (fullchain.pem, not cert.pem) for {mx}.",
            "If it is self-signed, get one of a public CA; or use DANE, which needs none.",
            "Look at it: openssl s_client -starttls smtp -connect {mx}:25 -servername {mx} \
             -verify_hostname {mx}",
        ],
    },
    Cause {
        id: "tls-starttls-one",
        blame: Blame::Ours,
        title: "{mx} does not offer STARTTLS, other hosts do",
        sign: "starttls-not-supported at one host while sessions of the same days succeed.",
        why: "A sender that was promised TLS gives up on this host. A host that was added or set up \
              anew, or a backup MX, is the usual reason; a firewall that rewrites SMTP another.",
        fix: &[
            "Switch TLS on at {mx}: smtpd_tls_security_level = may, with certificate and key.",
            "Look at it: openssl s_client -starttls smtp -connect {mx}:25",
            "If it does offer STARTTLS to you, look for a firewall that inspects SMTP in front of it.",
            "If it is no longer yours, remove it from the MX records and from the policy.",
        ],
    },
    Cause {
        id: "tls-starttls-all",
        blame: Blame::Ours,
        title: "No host of {domain} offers STARTTLS",
        sign: "starttls-not-supported, and no session of these days succeeds.",
        why: "Everybody who was promised TLS has stopped delivering to {domain}. The certificate or \
              its key cannot be read, or TLS was switched off.",
        fix: &[
            "Look into the log of the mail server for 'cannot load certificate' or 'TLS disabled'.",
            "In Postfix: smtpd_tls_security_level = may, smtpd_tls_chain_files set and readable.",
            "If that takes long: set mode: testing in the policy and change its id, so that mail \
             flows again once senders have read it.",
        ],
    },
    Cause {
        id: "tls-policy-host-down",
        blame: Blame::Ours,
        title: "The policy of {domain} cannot be fetched: the host does not answer",
        sign: "sts-policy-fetch-error with a reason about the connection or the DNS, or none.",
        why: "Senders that know the policy go on using it until it expires; new ones send without \
              protection. The host is mta-sts.{domain}, port 443.",
        fix: &[
            "Fetch it: curl -v https://mta-sts.{domain}/.well-known/mta-sts.txt",
            "Check that mta-sts.{domain} has A and AAAA records that both answer: an IPv6 address \
             without a server behind it is the usual reason that only some fail.",
            "Check that no firewall keeps foreign networks from it.",
        ],
    },
    Cause {
        id: "tls-policy-host-tls",
        blame: Blame::Ours,
        title: "The certificate of mta-sts.{domain} is not valid",
        sign: "sts-webpki-invalid, or sts-policy-fetch-error with a reason about TLS.",
        why: "The policy counts only if its host has a valid certificate of a public CA for its \
              name (RFC 8461 section 3.3).",
        fix: &[
            "Renew the certificate of mta-sts.{domain}, with the full chain.",
            "Fetch it: curl -v https://mta-sts.{domain}/.well-known/mta-sts.txt",
        ],
    },
    Cause {
        id: "tls-policy-not-found",
        blame: Blame::Ours,
        title: "The policy file of {domain} is not where it must be",
        sign: "sts-policy-fetch-error with a reason about HTTP.",
        why: "The host answers, but not with the policy: it is missing, or the server redirects, \
              and a redirect is not followed (RFC 8461 section 3.3).",
        fix: &[
            "It must be at https://mta-sts.{domain}/.well-known/mta-sts.txt with status 200 and \
             type text/plain.",
            "If you do not want MTA-STS any more, publish mode: none first, and take the TXT record \
             away when max_age is over.",
        ],
    },
    Cause {
        id: "tls-policy-invalid",
        blame: Blame::Ours,
        title: "The policy of {domain} cannot be understood",
        sign: "sts-policy-invalid.",
        why: "The file can be fetched, but is no policy: a field is missing or written wrong.",
        fix: &[
            "Let it be checked: curl -s https://mta-sts.{domain}/.well-known/mta-sts.txt | waxseal \
             lint mta-sts-policy -",
        ],
    },
    Cause {
        id: "tls-mx-not-in-policy",
        blame: Blame::Ours,
        title: "The host {mx} is not in the policy of {domain}",
        sign: "A failure at an MX host that no pattern of the policy covers.",
        why: "The MX records name {mx}, the policy does not, so senders must not deliver there. An \
              MX was changed and the policy was forgotten, or the other way round.",
        fix: &[
            "Add mx: {mx} to the policy, and change the id in the TXT record _mta-sts.{domain}.",
            "Next time: first the policy, then max_age to wait, then the MX record.",
            "If {mx} is not yours, somebody has changed your MX records: look at them now.",
        ],
    },
    Cause {
        id: "tls-tlsa-mismatch",
        blame: Blame::Ours,
        title: "The TLSA records do not fit the certificate of {mx}",
        sign: "tlsa-invalid, or a failure of the certificate under a policy of type tlsa.",
        why: "DANE senders do not deliver to {mx}. Most often the certificate was renewed with a new \
              key, and the TLSA record of the old key is all that there is.",
        fix: &[
            "Make the record of the key that {mx} uses now: openssl x509 -in cert.pem -noout \
             -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256",
            "Publish it at _25._tcp.{mx} as 3 1 1 HEX, beside the old one; remove the old one after \
             twice its TTL.",
            "Next time: publish the record of the next key first, or renew with the same key \
             (certbot --reuse-key).",
        ],
    },
    Cause {
        id: "tls-dnssec-broken",
        blame: Blame::Ours,
        title: "DNSSEC of {domain} or its mail hosts is broken",
        sign: "dnssec-invalid.",
        why: "Resolvers that validate refuse the answers, so DANE senders cannot deliver, and others \
              may not find you at all: signatures have expired, or the DS record does not fit the key.",
        fix: &[
            "Look at it: delv MX {domain}; and for each mail host: delv TLSA _25._tcp.HOST",
            "Compare the DS record at the registrar with the key of the zone.",
            "Sign the zone anew, and watch the end of its signatures.",
        ],
    },
    Cause {
        id: "tls-dane-required",
        blame: Blame::Ours,
        title: "A sender demands DANE, and {mx} has no usable TLSA records",
        sign: "dane-required.",
        why: "The sender was told by its operator to deliver to {domain} with DANE only. The records \
              are gone, or are not signed.",
        fix: &[
            "Look at it: delv TLSA _25._tcp.{mx}",
            "Publish the TLSA records again, in a signed zone; or ask the sender to drop the rule.",
        ],
    },
    Cause {
        id: "tls-validation",
        blame: Blame::Ours,
        title: "TLS with {mx} fails for a reason of its own",
        sign: "validation-failure, or a type that RFC 8460 does not know.",
        why: "The reporter's TLS library gave up, and the reason it gives fits no cause in the \
              catalogue. Old protocol versions or ciphers on one side are usual.",
        fix: &[
            "Look at what was said; search the log of {mx} for TLS errors at these times.",
            "Offer TLS 1.2 and 1.3 with standard ciphers, and a certificate of a public CA.",
        ],
    },
    Cause {
        id: "tls-one-reporter",
        blame: Blame::Theirs,
        title: "Only {reporter} reports {result} at {mx}",
        sign: "One reporter fails while at least two others succeed on the same days.",
        why: "Everybody else reaches you without a fault, so the reason is most likely on the side \
              of {reporter}: its root certificates, its resolver, its software.",
        fix: &[
            "Nothing, if it ends within a few days.",
            "If mail from there matters, tell them what was said. Their contact stands in \
             waxseal reports show.",
        ],
    },
    Cause {
        id: "tls-attack-suspected",
        blame: Blame::Attack,
        title: "Sessions of {reporter} end at somebody else than {mx}",
        sign: "One network, which succeeded before, suddenly meets a strange certificate or no \
               STARTTLS, while others succeed.",
        why: "Somebody between {source} and you may answer in your place. MTA-STS or DANE has kept \
              these messages from him; senders without them may have fallen for it. Less bad, and as \
              likely: a firewall at the sender that inspects mail.",
        fix: &[
            "Compare the receiving addresses in waxseal reports show with those of {mx}.",
            "Check that nobody changed your MX and address records, and the log of your registrar.",
            "Tell {reporter}: the route from {source} to you is the place to look at.",
            "Do not weaken your policy because of it: it did its work.",
        ],
    },
    Cause {
        id: "tls-ready-for-enforce",
        blame: Blame::Notice,
        title: "The MTA-STS policy of {domain} is ready for mode enforce",
        sign: "Mode testing, reports of at least 14 days, and no failure in them.",
        why: "For {days} days all {sessions} reported sessions would have been accepted. Until you \
              enforce, the policy protects nobody. Those who send no reports are not in these numbers.",
        fix: &[
            "Set mode: enforce in the policy and change the id in _mta-sts.{domain}.",
            "Keep max_age at a day or a week at first, and make it longer later.",
        ],
    },
    Cause {
        id: "dmarc-selector-broken",
        blame: Blame::Ours,
        title: "The DKIM selector {selector} of {signer} fails everywhere",
        sign: "All or nearly all signatures of one selector fail, at more than one reporter or on \
               more than one day.",
        why: "The public key is missing or does not fit the key that signs. Mail with this \
              signature passes DMARC by SPF only, and not at all once it is forwarded.",
        fix: &[
            "Look at the record: dig TXT {selector}._domainkey.{signer}",
            "Publish the key that signs. With Waxseal: waxseal dkim check",
            "If the key was retired on purpose, find who still signs with it: see the sources.",
        ],
    },
    Cause {
        id: "dmarc-source-broken",
        blame: Blame::Ours,
        title: "Mail from {source} fails since {since}; it passed before",
        sign: "A source with aligned passes up to a day, and only failures since.",
        why: "This source has sent good mail in the name of {domain}. Since {since} neither SPF nor \
              DKIM passes: it lost its signing key, changed its envelope domain, or fell out of the \
              SPF record.",
        fix: &[
            "Find out what changed there on {since}.",
            "Check SPF: waxseal spf --ip {address} --helo {domain} --mail-from x@{domain}",
            "Let it sign with a DKIM key of {domain} again.",
        ],
    },
    Cause {
        id: "dmarc-dkim-alignment",
        blame: Blame::Ours,
        title: "{service} sends in the name of {domain}, but signs as itself",
        sign: "A source that passes SPF or DKIM for a domain of its own, seen by several reporters \
               or on several days, with our domain in From.",
        why: "A service that you or a colleague uses is not set up for DMARC: its signature names \
              {service}, and not {domain}. With p=quarantine or p=reject this mail is lost.",
        fix: &[
            "If it is yours: publish the DKIM key that the service gives you, so that it signs with \
             d={domain}, or give it a subdomain of its own.",
            "If nobody knows it, it is somebody who uses your name: leave it to p=reject.",
        ],
    },
    Cause {
        id: "dmarc-spf-only",
        blame: Blame::Ours,
        title: "Mail of {domain} from {source} is not signed",
        sign: "A source with aligned passes of SPF, and never one of DKIM.",
        why: "DMARC passes by SPF alone. SPF ends where mail is forwarded, so this mail is lost \
              whenever a recipient forwards it to somebody who enforces DMARC.",
        fix: &["Let this source sign with a DKIM key of {domain}. With Waxseal: waxseal dkim add \
             {domain}, and its milter in front of what sends."],
    },
    Cause {
        id: "dmarc-forwarder",
        blame: Blame::Notice,
        title: "Mail of {domain} is forwarded",
        sign: "SPF fails and the DKIM signature of our domain passes or was broken on the way; or \
               the reporter says that it was forwarded.",
        why: "Recipients forward mail, or mailing lists pass it on. SPF always fails there; DKIM \
              holds unless the list changes the message.",
        fix: &["Nothing. Keep signing all mail, and do not add the forwarders to your SPF record."],
    },
    Cause {
        id: "dmarc-spoofing",
        blame: Blame::Attack,
        title: "Unknown sources send in the name of {domain}",
        sign: "Sources that never passed anything aligned, and authenticate as nobody.",
        why: "Somebody uses your domain as sender. The policy that receivers have found is \
              \"{policy}\"; {stopped} of these messages were refused or put into quarantine.",
        fix: &[
            "If one of the sources is yours, set up SPF and DKIM there.",
            "With p=none all of it is delivered: go to p=quarantine and then p=reject when your own \
             mail passes. With p=reject nothing is left to do.",
        ],
    },
    Cause {
        id: "dmarc-subdomain",
        blame: Blame::Ours,
        title: "{subdomain} has no DMARC record, and sp=none leaves it open",
        sign: "Failing mail with a subdomain in From, under a policy with sp=none and a stronger p.",
        why: "The record of {domain} protects the domain itself; sp=none exempts its subdomains, \
              and {subdomain} has no record of its own. So nothing is done about this mail.",
        fix: &[
            "If {subdomain} sends no mail: remove sp=none, or publish _dmarc.{subdomain} with \
             v=DMARC1; p=reject",
            "If it does: publish a record with p=none and rua for it, set up SPF and DKIM, then \
             enforce.",
        ],
    },
    Cause {
        id: "dmarc-ready-reject",
        blame: Blame::Notice,
        title: "{domain} is ready for p={next}",
        sign: "Policy none or quarantine, reports of at least 14 days, and own mail passes to 99.5 %.",
        why: "For {days} days {passed} of your messages passed; of what failed, nearly nothing comes \
              from a source that you use.",
        fix: &["Publish p={next} in _dmarc.{domain}.", "Look here again after a week."],
    },
    Cause {
        id: "dmarc-reporter-silent",
        blame: Blame::Theirs,
        title: "{reporter} sends no more DMARC reports about {domain}",
        sign: "Reports of at least 7 days, then none for 4 days or more while others report.",
        why: "Either nobody there gets mail of {domain} any more, or the reports do not arrive: the \
              address in rua, a full mailbox, a filter.",
        fix: &[
            "Check the rua in _dmarc.{domain}: waxseal lint dmarc-record -",
            "Look into the log of the mail server for mail that was refused from {reporter}.",
        ],
    },
    Cause {
        id: "tls-reporter-silent",
        blame: Blame::Theirs,
        title: "{reporter} sends no more TLS reports about {domain}",
        sign: "Reports of at least 7 days, then none for 4 days or more while others report.",
        why: "Either nobody there writes to {domain} any more, or the reports do not arrive. A report \
              that cannot be delivered because TLS is broken says nothing, so look at this one.",
        fix: &[
            "Check the rua in _smtp._tls.{domain}: waxseal lint tlsrpt-record -",
            "Look into the log of the mail server for mail that was refused from {reporter}.",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn entries_are_whole() {
        let ids: BTreeSet<_> = CATALOGUE.iter().map(|cause| cause.id).collect();
        assert_eq!(ids.len(), CATALOGUE.len());
        for cause in CATALOGUE {
            assert!(cause.why.ends_with('.') && cause.sign.ends_with('.'), "{}", cause.id);
            assert!(!cause.title.ends_with('.') && !cause.fix.is_empty(), "{}", cause.id);
            for text in cause.fix.iter().chain([&cause.why, &cause.title, &cause.sign]) {
                assert!(!text.contains("  "), "{}: {text}", cause.id);
            }
        }
    }
}
