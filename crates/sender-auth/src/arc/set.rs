//! Collecting the sets of a message, and the rules for how they stand together (RFC 8617 §4.2,
//! §5.2 steps 1 to 3).

use alloc::vec::Vec;

use smtp_types::Position;

use super::chain_result::{ChainFailure, FieldKind};
use super::field_error::{ArcFieldError, ArcFieldFault};
use super::seal_field::parse_chain_status;
use super::{ChainStatus, MAX_INSTANCE};
use crate::authres::{self, AuthenticationResults, AuthenticationResultsError};
use crate::dkim::required;
use crate::header::{Header, HeaderField};
use crate::tag_list::TagList;

/// A complete set.
#[derive(Clone, Debug)]
pub(super) struct Set<'h> {
    pub(super) instance: u8,
    pub(super) authentication_results: &'h HeaderField,
    /// What that field says; this has no part in whether the chain holds (§3.4).
    pub(super) payload: Result<AuthenticationResults, AuthenticationResultsError>,
    pub(super) message_signature: &'h HeaderField,
    pub(super) seal: &'h HeaderField,
    /// `cv=` of the seal.
    pub(super) chain_status: ChainStatus,
}

/// All sets of a message.
#[derive(Clone, Debug)]
pub(super) struct Sets<'h> {
    /// The highest instance number that any field bears, 0 if there is none.
    pub(super) highest: u8,
    /// The sets from instance 1 to the highest; empty if there are none. A failure if they are no
    /// chain.
    pub(super) chain: Result<Vec<Set<'h>>, ChainFailure>,
}

/// §5.2 steps 1 to 3.
pub(super) fn collect(header: &Header) -> Sets<'_> {
    let mut slots: Vec<Slot<'_>> = Vec::new();
    let mut fault = None;
    for field in header.fields() {
        if let Some(kind) = FieldKind::of(field)
            && let Err(failure) = add(&mut slots, kind, field)
        {
            fault = fault.or(Some(failure));
        }
    }
    Sets { highest: u8::try_from(slots.len()).unwrap_or(u8::MAX), chain: chain(slots, fault) }
}

/// The fields of one instance, as far as they have been found.
#[derive(Default)]
struct Slot<'h> {
    authentication_results: Option<AuthenticationResultsField<'h>>,
    message_signature: Option<&'h HeaderField>,
    seal: Option<SealField<'h>>,
}

struct AuthenticationResultsField<'h> {
    field: &'h HeaderField,
    payload: Result<AuthenticationResults, AuthenticationResultsError>,
}

struct SealField<'h> {
    field: &'h HeaderField,
    chain_status: ChainStatus,
}

/// Puts a field into the slot of its instance.
fn add<'h>(
    slots: &mut Vec<Slot<'h>>,
    kind: FieldKind,
    field: &'h HeaderField,
) -> Result<(), ChainFailure> {
    let unreadable = |error| ChainFailure::Field { kind, error };
    let (instance, was_there) = match kind {
        FieldKind::AuthenticationResults => {
            let (instance, payload) = parse_payload(field).map_err(unreadable)?;
            let new = AuthenticationResultsField { field, payload };
            (instance, slot(slots, instance).authentication_results.replace(new).is_some())
        }
        FieldKind::MessageSignature => {
            let instance =
                tags(field).and_then(|list| parse_instance(&list)).map_err(unreadable)?;
            (instance, slot(slots, instance).message_signature.replace(field).is_some())
        }
        FieldKind::Seal => {
            let list = tags(field).map_err(unreadable)?;
            let instance = parse_instance(&list).map_err(unreadable)?;
            let chain_status = parse_chain_status(&list).map_err(unreadable)?;
            let new = SealField { field, chain_status };
            (instance, slot(slots, instance).seal.replace(new).is_some())
        }
    };
    if was_there { Err(ChainFailure::Repeated { kind, instance }) } else { Ok(()) }
}

fn slot<'s, 'h>(slots: &'s mut Vec<Slot<'h>>, instance: u8) -> &'s mut Slot<'h> {
    let index = usize::from(instance.saturating_sub(1));
    if slots.len() <= index {
        slots.resize_with(index + 1, Slot::default);
    }
    &mut slots[index] // there are at least index + 1
}

fn chain(slots: Vec<Slot<'_>>, fault: Option<ChainFailure>) -> Result<Vec<Set<'_>>, ChainFailure> {
    if let Some(Slot { seal: Some(SealField { chain_status: ChainStatus::Fail, .. }), .. }) =
        slots.last()
    {
        return Err(ChainFailure::FailedBefore);
    }
    if let Some(fault) = fault {
        return Err(fault);
    }
    (1..).zip(slots).map(|(instance, slot)| complete(instance, slot)).collect()
}

/// §5.2 step 3: "exactly one each of the three ARC-specific header fields", no gaps, and `cv=` as
/// it must be at this place.
fn complete(instance: u8, slot: Slot<'_>) -> Result<Set<'_>, ChainFailure> {
    let missing = |kind| ChainFailure::Missing { kind, instance };
    let AuthenticationResultsField { field, payload } =
        slot.authentication_results.ok_or(missing(FieldKind::AuthenticationResults))?;
    let message_signature = slot.message_signature.ok_or(missing(FieldKind::MessageSignature))?;
    let seal = slot.seal.ok_or(missing(FieldKind::Seal))?;
    let expected = if instance == 1 { ChainStatus::None } else { ChainStatus::Pass };
    if seal.chain_status != expected {
        return Err(ChainFailure::ChainStatus { instance, found: seal.chain_status });
    }
    Ok(Set {
        instance,
        authentication_results: field,
        payload,
        message_signature,
        seal: seal.field,
        chain_status: seal.chain_status,
    })
}

fn tags(field: &HeaderField) -> Result<TagList<'_>, ArcFieldError> {
    let start = field.octets().len() - field.value().len();
    Ok(TagList::parse(field.octets(), start)?)
}

/// `instance = [CFWS] %s"i" [CFWS] "=" [CFWS] position`, `position = 1*2DIGIT ; 1 - 50` (§3.9), for
/// the two fields that are lists of tags. There the grammar of tags counts, and their order does
/// not: comments are not read.
pub(super) fn parse_instance(list: &TagList<'_>) -> Result<u8, ArcFieldError> {
    let tag = required(list, "i")?;
    let is_position =
        (1..=2).contains(&tag.value.len()) && tag.value.bytes().all(|octet| octet.is_ascii_digit());
    let instance = if is_position { tag.value.parse().ok() } else { None };
    instance.filter(is_instance).ok_or_else(|| {
        ArcFieldError::at(list, tag, ArcFieldFault::Instance { found: tag.value.into() })
    })
}

type Payload = Result<AuthenticationResults, AuthenticationResultsError>;

fn parse_payload(field: &HeaderField) -> Result<(u8, Payload), ArcFieldError> {
    let read = authres::parse_instance(field.value())?;
    if is_instance(&read.instance) {
        return Ok((read.instance, read.payload));
    }
    let found = alloc::format!("{}", read.instance).into_boxed_str();
    let position = Position { line: 1, column: 1 };
    Err(ArcFieldError { position, fault: ArcFieldFault::Instance { found } })
}

fn is_instance(number: &u8) -> bool {
    (1..=MAX_INSTANCE).contains(number)
}
