//! DMARC (RFC 9989): does SPF or DKIM speak for the domain that people see, and what does its owner
//! ask for if neither does?
//!
//! Four steps, one file or two for each:
//!
//! 1. **Whom do people see?** [`Author`] reads the `From` field. A message that shows no domain, or
//!    several, or one that cannot be told for sure, ends in a typed fault, never in a guess.
//! 2. **What does the owner of that domain want?** [`TreeWalk`] asks for `_dmarc.<domain>` and for
//!    the same name below each parent, at most eight names, and finds the [`Record`] that applies.
//! 3. **Who has sent it?** An SPF or DKIM domain counts if it *aligns* with the author's domain: it
//!    is the same, or both have the same Organizational Domain ([`Alignment`]).
//! 4. **What follows?** [`evaluate`] puts the three together for one domain, [`evaluate_message`]
//!    for a message. Both give the result, what the owner asks for, and every reason.
//!
//! [`lint_record`] says all that is wrong or unwise about a record, and [`verify_report_addresses`]
//! which of the addresses in it may get reports (RFC 9990 §4).
//!
//! Nothing here decides what happens to a message: the owner's wish is one of the reasons of a
//! receiver, and RFC 9989 §5.4 and §7.4 want more than one before a message is rejected.
//!
//! Records of RFC 7489 are understood. What is new since then: no list of public suffixes, but the
//! walk up the tree; `np`, `psd` and `t`; `pct`, `rf`, `ri` and `!size` have no effect any more.

mod address_fault;
mod address_list;
mod address_tokens;
mod align;
mod author;
mod encoded_word;
mod evaluate;
mod evaluate_message;
mod lint;
mod record;
mod record_fault;
mod report_address;
mod report_uri;
mod sender_hint;
mod tag_values;
mod tree_walk;

pub use address_fault::{AddressFault, SyntaxFault};
pub use address_list::Mailbox;
pub use align::{Alignment, Misalignment};
pub use author::{Author, AuthorDomain, AuthorFault, MAX_AUTHOR_DOMAINS};
pub use evaluate::{
    AppliedPolicy, Cause, CheckedIdentity, DkimIdentity, DmarcResult, Evaluation, Identities,
    IdentityResult, MAX_ALIGNMENT_WALKS, PolicyPlace, PolicyTag, SpfIdentity, evaluate,
};
pub use evaluate_message::{MessageEvaluation, evaluate_message};
pub use lint::lint_record;
pub use record::{NoRecord, Record, record_question, select};
pub use record_fault::{RecordError, RecordFault};
pub use report_address::{
    CheckedReportAddress, MAX_REPORT_URIS, RefusedReportAddress, ReportAddress, ReportKind,
    verify_report_addresses,
};
pub use report_uri::{ReportTarget, ReportUri, ReportUriError};
pub use sender_hint::SenderHint;
pub use tag_values::{AlignmentMode, FailureOption, FailureOptions, Policy, Psd, TestMode};
pub use tree_walk::{MAX_QUERIES, StepFailure, TreeWalk, WalkFailure, WalkStep, walk};
