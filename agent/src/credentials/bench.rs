//! A sensor that credentials can be sealed to, for tests.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use portolan_proto::convert::sealed_to_wire;
use portolan_proto::v1;
use portolan_shared::model::{
    Budget, CaTrust, CredentialId, InvitationId, RegistryId, RegistryTarget, RepositoryPatterns, SensorId,
    TagFilter, TenantId,
};
use portolan_shared::process::{Clock as _, ManualClock, Rng, SeededRng, SystemRng};
use portolan_shared::secret::sealed::{
    BoundHosts, CredentialBinding, CredentialSecret, Recipient, SealedForOne, SealingKeyPair, seal,
};
use portolan_shared::secret::{Secret, SecretBytes};
use tempfile::TempDir;

use super::SealedVault;
use crate::audit::{AuditLog, FOLDER, Read, files_in};
use crate::keyring::{
    ContinuityToken, Enrolled, Keyring, NewIdentity, StateDir, StoredCertificate, TrustBundle,
};
use crate::policy::LivePolicy;

/// What every credential of these tests has as its password.
pub(crate) const PASSWORD: &str = "glpat-0-plaintext-of-a-password";

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) policy: Arc<LivePolicy>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) vault: Arc<SealedVault>,
}

/// Enrols a sensor in this directory, with a sealing key of the first generation.
pub(crate) fn enrol(path: &Path) -> Keyring {
    let rng = SeededRng::new(1);
    let at = Timestamp::from_second(1_000_000).unwrap();
    let dir = StateDir::open(path).unwrap();
    let invitation = InvitationId::random(&rng);
    let new = NewIdentity::prepare(&dir, invitation).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let root = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    let enrolled = Enrolled {
        invitation,
        sensor: SensorId::random(&rng),
        tenant: TenantId::random(&rng),
        name: "hamburg".to_owned(),
        deployment: String::new(),
        endpoints: Vec::new(),
        identity: data_encoding::HEXLOWER.encode(new.identity.public_key()),
        at,
    };
    let certificate = StoredCertificate {
        chain: vec![root.der().clone()],
        key: SecretBytes::new(vec![1]),
        issued_at: at,
        received_at: at,
        not_after: at,
    };
    let trust = TrustBundle::new(1, vec![root.der().clone()]).unwrap();
    let token = ContinuityToken::new(&[7; 32]).unwrap();
    new.complete(&dir, &enrolled, &certificate, &trust, &token)
        .unwrap();
    let keyring = Keyring::open(dir).unwrap();
    let keys = keyring.sealing_keys_or_new(at, &SystemRng).unwrap();
    let keys = keys
        .of_generation(1, keyring.both_clocks(at), &SystemRng)
        .unwrap()
        .unwrap();
    keyring.store_sealing_keys(keys).unwrap();
    keyring
}

impl Bench {
    /// Under a policy that allows `h` and 127.0.0.1.
    pub(crate) fn new() -> Self {
        Self::with_policy("[[allow]]\nhost = \"h\"\n[[allow]]\nhost = \"127.0.0.1\"\n")
    }

    pub(crate) fn with_policy(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, format!("version = 1\n{text}")).unwrap();
        let policy = Arc::new(LivePolicy::load(&file).unwrap());
        let keyring = enrol(&folder.path().join("state"));
        Self::of(folder, Arc::new(keyring), policy)
    }

    fn of(folder: TempDir, keyring: Arc<Keyring>, policy: Arc<LivePolicy>) -> Self {
        let clock = Arc::new(ManualClock::at_unix_seconds(1_000_000));
        let log = AuditLog::open(folder.path(), keyring.sensor(), Arc::clone(&clock) as _).unwrap();
        let vault = SealedVault::new(Arc::clone(&keyring), Arc::clone(&policy), Arc::clone(&clock) as _);
        let vault = Arc::new(vault.audited(log));
        Self {
            folder,
            keyring,
            policy,
            clock,
            vault,
        }
    }

    /// How often this was recorded.
    pub(crate) fn recorded(&self, action: &str) -> usize {
        let files = files_in(&self.folder.path().join(FOLDER));
        let lines = files.iter().flat_map(|file| file.lines().unwrap());
        lines
            .filter(|line| matches!(line, Ok(Read::Record(linked)) if linked.record.action == action))
            .count()
    }

    /// The same sensor after a restart.
    pub(crate) fn restarted(self) -> Self {
        let Self {
            folder,
            keyring,
            policy,
            ..
        } = self;
        keyring.dir().release();
        let dir = StateDir::open(&folder.path().join("state")).unwrap();
        Self::of(folder, Arc::new(Keyring::open(dir).unwrap()), policy)
    }

    pub(crate) fn target(url: &str) -> RegistryTarget {
        RegistryTarget {
            registry: RegistryId::random(&SystemRng),
            url: url.parse().unwrap(),
            ca: CaTrust::default(),
            repositories: RepositoryPatterns::all(),
            credential: None,
            tags: TagFilter::default(),
            budget: Budget::default(),
            requests_left: None,
        }
    }

    /// What fits this registry: version 1 of a new credential.
    pub(crate) fn binding(&self, target: &RegistryTarget) -> CredentialBinding {
        CredentialBinding {
            tenant: self.keyring.enrolled().tenant,
            registry: target.registry,
            scheme: (&target.url).into(),
            host: (&target.url).into(),
            realm_hosts: BoundHosts::default(),
            storage_hosts: BoundHosts::default(),
            credential: CredentialId::random(&SystemRng),
            version: 1,
            created_at: self.clock.now().into(),
            expires_at: None,
        }
    }

    /// Seals `PASSWORD` to the latest key.
    pub(crate) fn seal(&self, binding: &CredentialBinding) -> v1::SealedCredential {
        self.seal_password(binding, PASSWORD)
    }

    /// Seals another one, as it is delivered.
    pub(crate) fn seal_password(&self, binding: &CredentialBinding, password: &str) -> v1::SealedCredential {
        sealed_to_wire(&self.seal_as(binding, password))
    }

    pub(crate) fn seal_as(&self, binding: &CredentialBinding, password: &str) -> SealedForOne {
        let keys = self.keyring.sealing_keys().unwrap();
        seal_to(
            binding,
            password,
            self.keyring.sensor(),
            &keys.latest().pair,
            &SystemRng,
        )
    }
}

pub(crate) fn seal_to(
    binding: &CredentialBinding,
    password: &str,
    sensor: SensorId,
    pair: &SealingKeyPair,
    rng: &dyn Rng,
) -> SealedForOne {
    let secret = Secret::new(password.to_owned());
    let login = CredentialSecret::new(Secret::new("reader".to_owned()), secret).unwrap();
    let sealed = seal(&login, binding, &[Recipient::own(sensor, pair)], rng).unwrap();
    SealedForOne {
        binding: binding.clone(),
        payload: sealed.payload,
        wrap: sealed.wraps.into_iter().next().unwrap(),
    }
}

/// Whether the login can be had, opened anew if need be.
pub(crate) fn opens(login: &super::SealedLogin) -> bool {
    login.get().is_ok()
}
