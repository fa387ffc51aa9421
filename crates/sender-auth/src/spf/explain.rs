//! What the domain's owner has to say to a sender who is refused (RFC 7208 §6.2).
//!
//! The text comes from a stranger and goes into an SMTP reply, so it is printable ASCII and
//! bounded, or it is not there. Whatever goes wrong, the result stays what it is.

use alloc::string::{String, ToString};

use smtp_types::{DnsQuestion, Need, RecordType};

use super::evaluate::{Check, ExplanationSource, Scope};
use super::expand::UNKNOWN;
use super::macro_string::{Letter, MacroString};
use super::trace::Event;

impl Check<'_> {
    /// The explanation, or nothing, "as if no "exp" modifier was given". Its look-ups count
    /// against no limit (§4.6.4).
    pub(super) fn explain(&mut self, source: &ExplanationSource) -> Result<Option<String>, Need> {
        if self.limits.explanation_octets == 0 {
            return Ok(None);
        }
        match self.explanation(source)? {
            Ok(text) => Ok(Some(text)),
            Err(why) => {
                self.note(0, Event::Unexplained { why: why.into_boxed_str() });
                Ok(None)
            }
        }
    }

    fn explanation(&mut self, source: &ExplanationSource) -> Result<Result<String, String>, Need> {
        let scope = Scope { domain: &source.domain, depth: 0 };
        let validated_name = match source.spec.names_validated_name() {
            true => self.validated_name(scope)?,
            false => UNKNOWN.into(),
        };
        let name = source.spec.target_name(&self.values(scope.domain, &validated_name));
        let name = match name {
            Ok(name) => name,
            Err(none) => return Ok(Err(none.why.to_string())),
        };
        let question = DnsQuestion::new(name, RecordType::Txt);
        let answer = match self.ask(scope.depth, &question)? {
            Ok(answer) => answer,
            Err(failure) => return Ok(Err(failure.to_string())),
        };
        let mut texts = answer.txt();
        let (Some(text), None) = (texts.next(), texts.next()) else {
            let count = answer.txt().count();
            return Ok(Err(alloc::format!("{question}: expected one text, found {count}")));
        };
        let text = match MacroString::parse_explanation(text) {
            Ok(text) => text,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let validated_name = match text.names(Letter::ValidatedName) {
            true => self.validated_name(scope)?,
            false => UNKNOWN.into(),
        };
        let values = self.values(scope.domain, &validated_name);
        let expanded = text.expand_start(&values, self.limits.explanation_octets);
        // §6.2: "the explanation string MUST be limited to [US-ASCII]". What a client has sent may
        // be in it, line ends included.
        match expanded.chars().find(|c| !matches!(c, ' '..='~')) {
            Some(found) => Ok(Err(alloc::format!("expected printable ASCII, found {found:?}"))),
            None => Ok(Ok(expanded)),
        }
    }
}
