//! Takes sealed credentials, and knows which of them are held.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use portolan_proto::convert::sealed;
use portolan_proto::v1;
use portolan_shared::model::{CredentialId, RegistryId, RegistryTarget, RegistryUrl};
use portolan_shared::process::{Clock, Rng, Uptime};
use portolan_shared::secret::sealed::{CredentialSecret, SealedForOne};
use serde_json::json;

use super::login::{SealedLogin, open_with};
use super::refused::CredentialRefused;
use crate::audit::{AuditLog, Entry, Outcome, Rate};
use crate::keyring::{Keyring, SealingKeys};
use crate::policy::LivePolicy;

/// Versions of which it is known that they were delivered before in this process; beyond, one counts as known, which only means that
/// what a registry said of the same login stays remembered.
const DELIVERED: usize = 4_096;
/// Withdrawn credentials that are recorded by name.
const NAMED: usize = 20;

/// Takes sealed credentials for jobs, and wipes them when they must not be kept any more.
pub struct SealedVault {
    keyring: Arc<Keyring>,
    policy: Arc<LivePolicy>,
    clock: Arc<dyn Clock>,
    audit: Option<Arc<AuditLog>>,
    /// Those that jobs hold.
    held: Mutex<Vec<Weak<SealedLogin>>>,
    /// The highest version that was delivered.
    delivered: Mutex<BTreeMap<CredentialId, u64>>,
}

impl SealedVault {
    /// For the sensor of this keyring, under this policy.
    #[must_use]
    pub fn new(keyring: Arc<Keyring>, policy: Arc<LivePolicy>, clock: Arc<dyn Clock>) -> Self {
        Self {
            keyring,
            policy,
            clock,
            audit: None,
            held: Mutex::default(),
            delivered: Mutex::default(),
        }
    }

    /// The same, with refusals and withdrawals recorded.
    #[must_use]
    pub fn audited(self, log: Arc<AuditLog>) -> Self {
        Self {
            audit: Some(log),
            ..self
        }
    }

    /// Records something of this action and kind in the sensor's audit log, at this rate.
    pub(crate) fn record(&self, rate: Rate, kind: &str, entry: impl FnOnce() -> Entry) {
        if let Some(log) = &self.audit {
            log.append_paced(rate, kind, entry());
        }
    }

    /// Takes what came with a job on this registry. Nothing is contacted.
    pub fn take(
        &self,
        wire: &v1::SealedCredential,
        target: &RegistryTarget,
    ) -> Result<Arc<SealedLogin>, CredentialRefused> {
        let (sealed, secret) = self.open(wire, target.registry, &target.url)?;
        let is_new = self.is_new(&sealed);
        let login = Arc::new(SealedLogin::new(
            Arc::clone(&self.keyring),
            Arc::clone(&self.clock),
            (target.registry, target.url.clone()),
            sealed,
            &secret,
            is_new,
        ));
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|login| login.strong_count() > 0);
        held.push(Arc::downgrade(&login));
        Ok(login)
    }

    /// Takes another version for a job that holds one already. One that does not fit, or is older, leaves things as they are.
    pub fn renew(&self, wire: &v1::SealedCredential, login: &SealedLogin) -> Result<(), CredentialRefused> {
        let (sealed, secret) = self.open(wire, login.registry_id(), login.registry())?;
        let held = login.binding();
        if held.credential == sealed.binding.credential && sealed.binding.version < held.version {
            let refused = CredentialRefused::Older {
                version: sealed.binding.version,
                floor: held.version,
            };
            self.note(&refused, login.registry(), Some(&sealed));
            return Err(refused);
        }
        self.record(Rate::SAID, "", || {
            let object = format!("credential:{}", sealed.binding.credential);
            let registry = login.registry().authority();
            let details = json!({"registry": registry, "from": held.version, "to": sealed.binding.version});
            Entry::by_control_plane("credential.renewed", object, details)
        });
        let is_new = self.is_new(&sealed);
        login.replace(sealed, &secret, is_new);
        Ok(())
    }

    /// Records a refusal: of what was said of itself, as far as that can be read.
    fn note(&self, refused: &CredentialRefused, url: &RegistryUrl, said: Option<&SealedForOne>) {
        self.record(Rate::SAID, &refused.rule(), || refusal(refused, url, said));
    }

    fn open(
        &self,
        wire: &v1::SealedCredential,
        registry: RegistryId,
        url: &RegistryUrl,
    ) -> Result<(SealedForOne, CredentialSecret), CredentialRefused> {
        let opened = self.compare_and_open(wire, registry, url);
        opened.inspect_err(|refused| self.note(refused, url, sealed(wire).ok().as_ref()))
    }

    fn compare_and_open(
        &self,
        wire: &v1::SealedCredential,
        registry: RegistryId,
        url: &RegistryUrl,
    ) -> Result<(SealedForOne, CredentialSecret), CredentialRefused> {
        let allowed = self.policy.current().allows_sealed_credential(url).map(drop);
        allowed.map_err(CredentialRefused::Policy)?;
        let sealed = sealed(wire).map_err(CredentialRefused::Form)?;
        let binding = &sealed.binding;
        let tenant = self.keyring.enrolled().tenant;
        if let Some(field) = binding.difference_from_registry(tenant, registry, url) {
            return Err(CredentialRefused::Elsewhere(field));
        }
        let floor = self.keyring.version_floor(binding.credential);
        let floor = floor.map_err(CredentialRefused::Versions)?;
        if binding.version < floor {
            return Err(CredentialRefused::Older {
                version: binding.version,
                floor,
            });
        }
        if let Some(ends) = binding.expires_at
            && self.clock.now() >= ends.timestamp()
        {
            return Err(CredentialRefused::Ended(ends));
        }
        let secret = open_with(&self.keyring, &sealed).map_err(CredentialRefused::Sealed)?;
        Ok((sealed, secret))
    }

    fn is_new(&self, sealed: &SealedForOne) -> bool {
        let (credential, version) = (sealed.binding.credential, sealed.binding.version);
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        if delivered.get(&credential).is_some_and(|known| *known >= version) {
            return false;
        }
        if delivered.len() >= DELIVERED && !delivered.contains_key(&credential) {
            return false;
        }
        delivered.insert(credential, version);
        true
    }

    fn held(&self) -> Vec<Arc<SealedLogin>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().filter_map(Weak::upgrade).collect()
    }

    /// Wipes the plain text of those that nobody has asked for in 15 minutes.
    pub fn look(&self, now: Uptime) {
        self.held().iter().for_each(|login| login.look(now));
    }

    /// Wipes these, or all if none is named: whoever still works with one works no more.
    pub fn withdraw(&self, credentials: &[CredentialId]) {
        let held = self.held();
        if !held.is_empty() {
            let named: Vec<String> = credentials.iter().take(NAMED).map(ToString::to_string).collect();
            let details = json!({"credentials": named, "all": credentials.is_empty(), "held": held.len()});
            self.record(Rate::SAID, "", || {
                Entry::by_agent("credential.wiped", "credentials", details)
            });
        }
        for login in held {
            if credentials.is_empty() || credentials.contains(&login.credential()) {
                login.withdraw();
            }
        }
    }

    /// Moves those that are held to the latest sealing key, before the former ones are deleted.
    pub fn move_to(&self, keys: &SealingKeys, rng: &dyn Rng) {
        self.held().iter().for_each(|login| login.move_to(keys, rng));
    }
}

/// What was refused names itself by what it says of itself, as far as that can be read.
fn refusal(refused: &CredentialRefused, url: &RegistryUrl, said: Option<&SealedForOne>) -> Entry {
    let refusal = refused.refusal(url);
    let details = json!({
        "rule": refusal.rule,
        "why": refusal.finding.to_string(),
        "credential": said.map(|said| said.binding.credential.to_string()),
        "version": said.map(|said| said.binding.version),
    });
    let object = format!("registry:{}", url.authority());
    Entry::by_control_plane("credential.refused", object, details).with(Outcome::Refused)
}

impl std::fmt::Debug for SealedVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedVault").finish_non_exhaustive()
    }
}
