//! Shows what was found for a next hop, what was decided, and why.
//!
//! [`Document`] is the machine's form: the answer of the decision API and of `waxseal explain
//! --json`, one JSON document of a numbered schema. [`text`](render) is the form for people. Both
//! show an [`Evaluation`](crate::sender::Evaluation) and judge nothing.

mod document;
mod text;

pub use document::{
    Code, Document, FactsPart, HostPart, LookUpPart, MxPart, RememberedPart, ResolverPart, SCHEMA,
    StsPart,
};
pub use text::render;
