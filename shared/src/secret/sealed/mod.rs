//! Sealed credentials: a login for a registry that only the sensors it was sealed to can open, and only for the registry it was sealed for.
//!
//! Pure: keys, formats and the three things that are done with them ([`seal`], [`open`], [`rewrap`]). No clock, no files, no wire.
//! Who may be sealed to is decided before, by [`SignedSealingKey::recipient`] and by comparing an [`IdentityFingerprint`] with one that
//! is known from elsewhere; what a sensor has seen before, such as the highest version of a credential, it remembers itself.
//!
//! ```
//! use portolan_shared::model::{CredentialId, RegistryId, RegistryUrl, SensorId, TenantId};
//! use portolan_shared::process::{Clock, SystemClock, SystemRng};
//! use portolan_shared::secret::Secret;
//! use portolan_shared::secret::sealed::{
//!     BindingField, BoundHosts, CredentialBinding, CredentialSecret, Recipient, SealingKeyPair, open, seal,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (rng, now) = (SystemRng, SystemClock.now());
//! // On the sensor: a sealing key.
//! let (sensor, pair) = (SensorId::random(&rng), SealingKeyPair::generate(&rng));
//!
//! // Where the login is entered: bound to one registry and what belongs to it, sealed to that key. A client that is not the sensor
//! // itself has the recipient from a signed statement.
//! let url: RegistryUrl = "https://registry.example.com:5050".parse()?;
//! let binding = CredentialBinding {
//!     tenant: TenantId::random(&rng),
//!     registry: RegistryId::random(&rng),
//!     scheme: (&url).into(),
//!     host: (&url).into(),
//!     realm_hosts: BoundHosts::new(["gitlab.example.com".parse()?])?,
//!     storage_hosts: BoundHosts::default(),
//!     credential: CredentialId::random(&rng),
//!     version: 1,
//!     created_at: now.into(),
//!     expires_at: None,
//! };
//! let login = CredentialSecret::new(Secret::new("reader".into()), Secret::new("glpat-example".into()))?;
//! let sealed = seal(&login, &binding, &[Recipient::own(sensor, &pair)], &rng)?;
//!
//! // On the sensor: a job for another registry is refused by name, and opens nothing.
//! let elsewhere: RegistryUrl = "https://registry.example.org:5050".parse()?;
//! let (tenant, registry) = (binding.tenant, binding.registry);
//! assert_eq!(binding.difference_from_registry(tenant, registry, &elsewhere), Some(BindingField::Host));
//! assert_eq!(binding.difference_from_registry(tenant, registry, &url), None);
//! assert_eq!(open(&binding, &sealed.payload, &sealed.wraps[0], sensor, &pair)?, login);
//! # Ok(())
//! # }
//! ```
//!
//! # How it is sealed
//!
//! Suite 1. A data key of 32 random bytes is made for each version of a credential. The payload is
//! ChaCha20-Poly1305(data key, nonce of 12 zero bytes, associated data, plain text); the data key encrypts this one message and no other.
//! For each recipient the data key is sealed by HPKE (RFC 9180) in base mode, single shot, with DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256 and ChaCha20-Poly1305: a *wrap*. A key pair is made anew for every wrap, so there is no counter that could go wrong.
//! Suite 2 is kept for X-Wing.
//!
//! Base mode does not say who sealed. A control plane that makes up a login learns nothing by that: the sensor contacts only what its
//! own policy allows.
//!
//! # Forms, byte by byte
//!
//! A *field* is its length in two bytes, most significant first, and then that many bytes. Numbers are most significant byte first;
//! times are whole seconds since 1970, signed, 8 bytes; ids are 16 bytes; a host is `HOST:PORT` in the canonical form of [`BoundHost`].
//! Each form below can be read back in one way only and each value has one form: lengths are exact, lists ascend strictly, nothing
//! may follow. Every parser refuses anything else, so two bindings are equal if and only if their bytes are.
//!
//! **Binding** ([`CredentialBinding::encode`]), these fields in this order:
//!
//! | field | bytes |
//! | --- | --- |
//! | context | `portolan credential binding v1` |
//! | tenant | 16 |
//! | registry | 16 |
//! | scheme | `https` or `http` |
//! | host | text, without the port |
//! | port | 2 |
//! | token-realm hosts | one field a host |
//! | storage hosts | one field a host |
//! | credential | 16 |
//! | version | 8 |
//! | created | 8 |
//! | expires | 8, or none |
//!
//! **Plain text**: fields binding (the inner copy), user name, password; then zero bytes up to the next multiple of 256, so that a
//! ciphertext does not tell the length of a password.
//!
//! **Associated data of a payload**: fields `portolan credential payload v1`, suite (1), binding.
//!
//! **Associated data of a wrap**: fields `portolan credential wrap v1`, suite (1), binding, recipient (16), sealing key id (16),
//! SHA-256 of the payload's ciphertext (32). The first of them is also the `info` of HPKE.
//!
//! **Payload** ([`SealedPayload::encode`]): suite (1), then the ciphertext: a multiple of 256 bytes and a tag of 16.
//!
//! **Wrap** ([`Wrap::encode`]), 113 bytes: suite (1), recipient (16), sealing key id (16), encapsulated key (32), ciphertext (48).
//!
//! **Sealing key id**: the first 16 bytes of SHA-256(suite (1), public key (32)).
//!
//! **Sealing key statement** ([`SealingKeyStatement::encode`]), 129 bytes, which is also what the identity key signs:
//! `portolan sealing key v1` and a zero byte (24), tenant (16), sensor (16), sealing key id (16), public key (32), suite (1), created (8),
//! ends (8), generation (8).
//!
//! **Identity fingerprint** ([`IdentityFingerprint`]): the first 100 bits of SHA-256(`portolan identity key v1`, a zero byte, Ed25519
//! public key (32)) as 20 characters of the base32 alphabet of RFC 4648 (`A`-`Z`, `2`-`7`), in four groups of five.

mod binding;
mod credential;
mod fields;
mod fingerprint;
mod form;
mod hosts;
mod hybrid;
mod key;
mod open;
mod payload;
mod recipient;
mod seal;
mod second;
mod statement;
mod wrap;

#[cfg(test)]
mod tests;

pub use binding::{BindingField, CredentialBinding, Scheme};
pub use credential::{CredentialSecret, CredentialSecretError};
pub use fingerprint::{FingerprintError, IdentityFingerprint, IdentityPublicKey};
pub use form::{FormError, Suite};
pub use hosts::{BoundHost, BoundHosts, HostError};
pub use key::{SealingKeyId, SealingKeyIdError, SealingKeyPair, SealingPublicKey};
pub use open::{OpenError, RewrapError, open, rewrap};
pub use payload::SealedPayload;
pub use recipient::Recipient;
pub use seal::{SealError, SealedCredential, SealedForOne, seal};
pub use second::UnixSecond;
pub use statement::{SealingKeyStatement, SignedSealingKey, StatementError};
pub use wrap::Wrap;
