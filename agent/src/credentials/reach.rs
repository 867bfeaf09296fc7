//! Where the requests of one job may go.

use portolan_shared::secret::sealed::{BoundHosts, CredentialBinding};

/// The hosts that every version of a credential is bound to which a job has held, beside the registry's own.
///
/// A request is made with the version that is held, and may wait long before it is sent: for its turn, or for a lease that the control plane
/// does not renew. Another version may come meanwhile, and HPKE's base mode does not say who sealed it. So a host counts only if all versions
/// are bound to it: then a request may be on its way with whichever of them, and no password goes where nobody has accepted that it goes.
/// What only a later version is bound to is for the next job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reach {
    /// Token services that the login may be sent to.
    pub(super) realms: BoundHosts,
    /// Hosts that a download may be redirected to.
    pub(super) storage: BoundHosts,
}

impl Reach {
    /// Of the first version.
    pub(super) fn of(binding: &CredentialBinding) -> Self {
        Self {
            realms: binding.realm_hosts.clone(),
            storage: binding.storage_hosts.clone(),
        }
    }

    /// The same once this version was held as well.
    pub(super) fn within(&self, binding: &CredentialBinding) -> Self {
        Self {
            realms: both(&self.realms, &binding.realm_hosts),
            storage: both(&self.storage, &binding.storage_hosts),
        }
    }
}

fn both(one: &BoundHosts, other: &BoundHosts) -> BoundHosts {
    let hosts = one.iter().filter(|host| other.contains(host.host(), host.port()));
    BoundHosts::new(hosts.cloned()).expect("they are no more than those of which there were not too many")
}
