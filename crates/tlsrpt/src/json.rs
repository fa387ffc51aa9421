//! Reading JSON of others piece by piece, without a tree of it.
//!
//! `serde_json` tokenizes, bounds the depth (128) and knows the place of an error. What it must not
//! do is refuse a document because a number is written as a string. So nothing here expects a type:
//! a [`Scalar`] is whatever stands there, and its reader decides what to make of it.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use serde_core::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess,
};
use serde_core::de::{Error, Visitor};

/// The octets as text, with U+FFFD for what is not UTF-8; borrowed if nothing had to be replaced.
///
/// Checking first is several times as fast as replacing at once, and nearly always enough.
pub(crate) fn decoded(octets: &[u8]) -> Cow<'_, str> {
    match core::str::from_utf8(octets) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(String::from_utf8_lossy(octets).into_owned()),
    }
}

/// Any value; lists and objects are passed over.
#[derive(Debug, PartialEq)]
pub(crate) enum Scalar<'de> {
    Null,
    Bool(bool),
    /// A whole number of 0 or more.
    Whole(u64),
    /// Any other number.
    Number(f64),
    Text(Cow<'de, str>),
    List,
    Object,
}

impl Scalar<'_> {
    /// What it is, for an error: "expected a string, found ...".
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Whole(_) | Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List => LIST,
            Self::Object => OBJECT,
        }
    }
}

pub(crate) const LIST: &str = "a list";
pub(crate) const OBJECT: &str = "an object";

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Whole(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "a negative number is never used exactly")]
        Ok(u64::try_from(value).map_or(Scalar::Number(value as f64), Scalar::Whole))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.into())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Object)
    }
}

/// What stood where an object or a list was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// That.
    Expected,
    /// `null`.
    Null,
    /// Something else, which was passed over.
    Other(&'static str),
}

impl From<Scalar<'_>> for Found {
    fn from(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            other => Self::Other(other.kind()),
        }
    }
}

/// Who reads the members of an object.
pub(crate) trait Members<'de> {
    /// Reads the value of `name`, or passes over it.
    fn member<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error>;
}

/// Who reads the items of a list.
pub(crate) trait Items<'de> {
    /// Reads the next item; `false` at the end.
    fn item<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error>;
}

/// An object whose members are read by `M`; anything else is passed over.
pub(crate) struct Object<'m, M>(pub(crate) &'m mut M);

/// A list whose items are read by `I`; anything else is passed over.
pub(crate) struct List<'m, I>(pub(crate) &'m mut I);

impl<'de, M: Members<'de>> DeserializeSeed<'de> for Object<'_, M> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, I: Items<'de>> DeserializeSeed<'de> for List<'_, I> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// The visits of values that are not what is hoped for.
macro_rules! other_values_are_passed_over {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }

        fn visit_unit<E>(self) -> Result<Found, E> {
            Ok(Found::Null)
        }

        fn visit_bool<E>(self, value: bool) -> Result<Found, E> {
            Ok(Scalar::Bool(value).into())
        }

        fn visit_u64<E>(self, value: u64) -> Result<Found, E> {
            Ok(Scalar::Whole(value).into())
        }

        fn visit_i64<E>(self, _: i64) -> Result<Found, E> {
            Ok(Scalar::Number(0.0).into())
        }

        fn visit_f64<E>(self, value: f64) -> Result<Found, E> {
            Ok(Scalar::Number(value).into())
        }
    };
}

impl<'de, M: Members<'de>> Visitor<'de> for Object<'_, M> {
    type Value = Found;

    other_values_are_passed_over!();

    fn visit_str<E>(self, _: &str) -> Result<Found, E> {
        Ok(Scalar::Text(Cow::Borrowed("")).into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Found, A::Error> {
        while let Some(Name(name)) = object.next_key()? {
            self.0.member(&name, &mut object)?;
        }
        Ok(Found::Expected)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Found, A::Error> {
        ScalarVisitor.visit_seq(list).map(Found::from)
    }
}

impl<'de, I: Items<'de>> Visitor<'de> for List<'_, I> {
    type Value = Found;

    other_values_are_passed_over!();

    fn visit_str<E>(self, _: &str) -> Result<Found, E> {
        Ok(Scalar::Text(Cow::Borrowed("")).into())
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Found, A::Error> {
        ScalarVisitor.visit_map(object).map(Found::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found, A::Error> {
        while self.0.item(&mut list)? {}
        Ok(Found::Expected)
    }
}

/// The name of a member.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor<'de>(PhantomData<&'de ()>);
        impl<'de> Visitor<'de> for NameVisitor<'de> {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.into())))
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
        }
        deserializer.deserialize_str(NameVisitor(PhantomData))
    }
}

/// A list of strings, or what was written instead of one.
#[derive(Debug)]
pub(crate) struct Texts<'de> {
    /// The strings, at most [`limit`](Self::limit).
    pub(crate) items: Vec<Cow<'de, str>>,
    /// How many items there may be; further ones are passed over.
    pub(crate) limit: usize,
    /// How many were passed over because of that.
    pub(crate) excess: usize,
    /// What the first item was that is no string.
    pub(crate) stranger: Option<&'static str>,
    /// What stood there.
    pub(crate) found: Found,
}

impl<'de> Texts<'de> {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { items: Vec::new(), limit, excess: 0, stranger: None, found: Found::Null }
    }
}

impl<'de> DeserializeSeed<'de> for Texts<'de> {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor(&mut self)).map(|found| Self { found, ..self })
    }
}

struct TextsVisitor<'t, 'de>(&'t mut Texts<'de>);

impl<'de> TextsVisitor<'_, 'de> {
    fn take(&mut self, scalar: Scalar<'de>) {
        match scalar {
            Scalar::Text(text) if self.0.items.len() < self.0.limit => self.0.items.push(text),
            Scalar::Text(_) => self.0.excess += 1,
            other => self.0.stranger = self.0.stranger.or(Some(other.kind())),
        }
    }
}

impl<'de> Visitor<'de> for TextsVisitor<'_, 'de> {
    type Value = Found;

    other_values_are_passed_over!();

    fn visit_str<E>(mut self, text: &str) -> Result<Found, E> {
        self.take(Scalar::Text(Cow::Owned(text.into())));
        Ok(Scalar::Text(Cow::Borrowed("")).into())
    }

    fn visit_borrowed_str<E>(mut self, text: &'de str) -> Result<Found, E> {
        self.take(Scalar::Text(Cow::Borrowed(text)));
        Ok(Scalar::Text(Cow::Borrowed("")).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Found, A::Error> {
        while let Some(item) = list.next_element()? {
            self.take(item);
        }
        Ok(Found::Expected)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Found, A::Error> {
        ScalarVisitor.visit_map(object).map(Found::from)
    }
}
