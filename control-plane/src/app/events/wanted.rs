//! Which events concern a registry at all.

use portolan_shared::model::EventSubject;
use portolan_store::NewRegistry;

/// Whether the patterns of a registry let a run look at this.
pub(super) fn is_wanted(registry: &NewRegistry, subject: &EventSubject) -> bool {
    let repository = subject.repository();
    repository.is_none_or(|repository| registry.repositories.matches(repository))
}
