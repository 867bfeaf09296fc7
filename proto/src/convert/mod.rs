//! Messages to model and back: the only place where messages are checked. An error names the field.

mod credential;
mod diagnosis;
mod error;
mod event;
mod facts;
mod field;
mod job;
mod target;
mod upload;

pub use credential::{sealed, sealed_to_wire};
pub use diagnosis::{probe_report, probe_report_to_wire};
pub use error::{ERROR_TRAILER, Refusal};
pub use event::{relayed, relayed_to_wire};
pub use facts::{facts, facts_to_wire};
pub use field::{FieldError, fence, finding, finding_to_wire, id, optional_finding, range};
pub use job::{final_progress_to_wire, progress, progress_to_wire};
pub use target::{target, target_to_wire};
pub use upload::{
    age, age_to_wire, bitmap, bits, content_kind, content_kind_to_wire, coverage, coverage_to_wire, digest,
    discovery_step, discovery_step_to_wire, listing_step, listing_step_to_wire, repository, repository_state,
    repository_state_to_wire, state_hash, tag, tag_to_wire,
};
