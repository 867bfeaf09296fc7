//! Registries: connections to registry hosts.
//!
//! `input` is what operators may say of them, and what of it is refused; `change` adds, changes and removes them; `find` finds them; `preview`
//! says what other filters would match, before they are saved; `outlook` says what of a registry ends soon.

mod change;
mod find;
mod input;
mod outlook;
mod preview;
mod schedule_patch;

pub use input::{RegistryInput, RegistryPatch};
pub(super) use input::{check_ca, check_patterns};
pub use outlook::{days_left, outlook};
pub use preview::{LEFT_OUT_SHOWN, Preview, PreviewedRepository, RepositoryFate};
pub use schedule_patch::SchedulePatch;
