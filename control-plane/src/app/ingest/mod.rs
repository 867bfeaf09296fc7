//! What sensors send up: gathered within bounds, verified, and handed to the store. Nothing of a batch or tag set is stored before all of
//! it has been verified.
//!
//! A manifest that hashes to its digest but that no specification allows is recorded as unavailable (`manifest.malformed`) with digest,
//! size and media type; its bytes are not kept, since nothing could be done with them. Image facts are read and written anew, so that
//! only what the model knows of is stored.

mod batch;
mod calls;
mod tag_set;

pub use batch::{Batch, BatchError, Part};
pub use calls::IngestError;
pub use tag_set::{TagSet, TagSetError};
