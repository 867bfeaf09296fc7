//! Manifests: reading one of any kind from its raw bytes, saying what kind of thing it is, and the facts kept of image configs.
//!
//! Sources: OCI image-spec 1.1, distribution-spec 1.1, Docker image manifest version 2 (schemas 1 and 2).

mod bounded;
mod facts;
mod kind;
mod parse;
mod schema1;
mod signed;

#[cfg(test)]
mod tests;

pub use facts::{FactsError, FactsField, History, ImageFacts};
pub use kind::{ArtifactKind, subject_of_tag};
pub use parse::{Annotations, Child, ChildRole, Descriptor, Manifest, ManifestError};
pub use signed::signed_payload;
