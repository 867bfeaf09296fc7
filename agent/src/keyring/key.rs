//! The sensor's own keys. Made here, never sent anywhere.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use portolan_shared::secret::SecretBytes;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use zeroize::Zeroizing;

use super::error::KeyringError;

/// Says who this sensor is, for as long as it is enrolled. Ed25519.
pub struct IdentityKey {
    pair: Ed25519KeyPair,
    pkcs8: SecretBytes,
}

impl IdentityKey {
    /// Makes a new one.
    pub fn generate() -> Result<Self, KeyringError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyringError::Key("made"))?;
        let pkcs8 = pair.to_pkcs8().map_err(|_| KeyringError::Key("made"))?;
        let pkcs8 = SecretBytes::new(pkcs8.as_ref().to_vec());
        Ok(Self { pair, pkcs8 })
    }

    /// From its PKCS #8 form.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, KeyringError> {
        let pair = Ed25519KeyPair::from_pkcs8(der).map_err(|_| KeyringError::Key("read"))?;
        Ok(Self {
            pair,
            pkcs8: SecretBytes::new(der.to_vec()),
        })
    }

    pub(super) fn pkcs8(&self) -> &SecretBytes {
        &self.pkcs8
    }

    /// The public key, 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Signs a message, which must begin with a domain string.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityKey([secret])")
    }
}

/// The key of one certificate. ECDSA P-256.
pub struct TlsKey {
    pair: KeyPair,
}

impl TlsKey {
    /// Makes a new one.
    pub fn generate() -> Result<Self, KeyringError> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map(|pair| Self { pair })
            .map_err(|_| KeyringError::Key("made"))
    }

    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, KeyringError> {
        KeyPair::try_from(der)
            .map(|pair| Self { pair })
            .map_err(|_| KeyringError::Key("read"))
    }

    /// The private key, PKCS #8.
    #[must_use]
    pub fn pkcs8(&self) -> SecretBytes {
        SecretBytes::new(Zeroizing::new(self.pair.serialize_der()).to_vec())
    }

    /// The public key as a certificate for it carries it: DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn public_key_info(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    /// A signing request, DER. It names nobody: the control plane takes the public key from it and nothing else.
    pub fn signing_request(&self) -> Result<Vec<u8>, KeyringError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params
            .serialize_request(&self.pair)
            .map_err(|_| KeyringError::Key("certified"))?;
        Ok(request.der().to_vec())
    }
}

impl std::fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsKey([secret])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::limits;

    #[test]
    fn keys_survive_the_disk_and_never_print() {
        let identity = IdentityKey::generate().unwrap();
        let read = IdentityKey::from_pkcs8(identity.pkcs8().expose()).unwrap();
        assert_eq!(identity.public_key(), read.public_key());
        assert_eq!(identity.public_key().len(), 32);
        assert_eq!(identity.sign(b"m"), read.sign(b"m"), "Ed25519 is deterministic");
        let tls = TlsKey::generate().unwrap();
        let read = TlsKey::from_pkcs8(tls.pkcs8().expose()).unwrap();
        assert_eq!(tls.public_key_info(), read.public_key_info());
        assert!(tls.signing_request().unwrap().len() <= limits::CSR_BYTES);
        assert_eq!(
            format!("{identity:?} {tls:?}"),
            "IdentityKey([secret]) TlsKey([secret])"
        );
    }
}
