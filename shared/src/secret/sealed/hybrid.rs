//! HPKE (RFC 9180), base mode, single shot, of the one suite that is used: the only place that knows the crate behind it.

use std::convert::Infallible;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use zeroize::Zeroizing;

use crate::process::Rng;
use crate::secret::SecretBytes;

/// A private key; wipes itself when dropped.
pub(super) type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Seals `plain` to a public key: the encapsulated key, and the ciphertext with its tag. `None` if nothing can be sealed to that key:
/// it is of low order, so that anybody could open.
pub(super) fn seal_to(
    public: &[u8; 32],
    info: &[u8],
    associated: &[u8],
    plain: &[u8],
    rng: &dyn Rng,
) -> Option<([u8; 32], Vec<u8>)> {
    let public = PublicKey::from_bytes(public).ok()?;
    let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &public, info, plain, associated, &mut Draw(rng))
    .ok()?;
    Some((encapsulated.to_bytes().into(), ciphertext))
}

/// Opens what was sealed to the public half of a private key with the same `info` and associated data. `None` if anything differs.
pub(super) fn open_with(
    private: &PrivateKey,
    info: &[u8],
    associated: &[u8],
    encapsulated: &[u8; 32],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let encapsulated = EncappedKey::from_bytes(encapsulated).ok()?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        private,
        &encapsulated,
        info,
        ciphertext,
        associated,
    )
    .ok()
    .map(Zeroizing::new)
}

/// A new key pair: `DeriveKeyPair` of RFC 9180, section 7.1.3, over 32 random bytes.
pub(super) fn generate(rng: &dyn Rng) -> (PrivateKey, [u8; 32]) {
    let (private, public) = X25519HkdfSha256::gen_keypair_with_rng(&mut Draw(rng));
    (private, public.to_bytes().into())
}

/// A key pair from the 32 bytes of its private half.
pub(super) fn import(private: &[u8]) -> Option<(PrivateKey, [u8; 32])> {
    let private = PrivateKey::from_bytes(private).ok()?;
    let public = X25519HkdfSha256::sk_to_pk(&private).to_bytes().into();
    Some((private, public))
}

/// The 32 bytes of a private key.
pub(super) fn export(private: &PrivateKey) -> SecretBytes {
    let mut bytes = vec![0; PrivateKey::size()];
    private.write_exact(&mut bytes);
    SecretBytes::new(bytes)
}

/// Our source of randomness as the crate wants it.
struct Draw<'a>(&'a dyn Rng);

impl TryRng for Draw<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

/// As in the product the operating system's generator stands behind it.
impl TryCryptoRng for Draw<'_> {}
