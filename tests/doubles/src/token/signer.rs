//! The key that signs tokens.

use anyhow::Context as _;
use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use rcgen::{CertificateParams, DnType, DnValue, KeyPair, PKCS_RSA_SHA256, PublicKeyData as _};
use serde_json::{Value, json};

use super::claims::Claims;

/// An RSA key with a self-signed certificate, as GitLab's packages make one for the registry.
#[derive(Debug)]
pub(super) struct Signer {
    key: RsaKeyPair,
    key_id: String,
    certificate_pem: String,
}

impl Signer {
    pub(super) fn new() -> anyhow::Result<Self> {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).context("make the token key")?;
        let mut params = CertificateParams::default();
        let name = DnValue::Utf8String("gitlab-registry".to_owned());
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params
            .self_signed(&key)
            .context("sign the token key's certificate")?;
        let key_id = key_id(&key.subject_public_key_info());
        let key = RsaKeyPair::from_pkcs8(key.serialized_der()).context("load the token key")?;
        Ok(Self {
            key,
            key_id,
            certificate_pem: certificate.pem(),
        })
    }

    /// What a registry is given as `rootcertbundle`.
    pub(super) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Signs a token. `None` should the crypto library refuse, which it does only when it cannot get randomness or memory.
    #[expect(
        clippy::disallowed_methods,
        reason = "blinding of a test's signatures; nothing depends on it"
    )]
    pub(super) fn sign(&self, claims: &Claims) -> Option<String> {
        let header = json!({"kid": self.key_id, "typ": "JWT", "alg": "RS256"});
        let claims = serde_json::to_vec(claims).ok()?;
        let signed = format!(
            "{}.{}",
            BASE64URL_NOPAD.encode(header.to_string().as_bytes()),
            BASE64URL_NOPAD.encode(&claims)
        );
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .ok()?;
        Some(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
    }

    /// The content of a token that this key signed; `None` for any other text.
    pub(super) fn verify(&self, token: &str) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let part = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).ok();
        let header: Value = serde_json::from_slice(&part(header)?).ok()?;
        if header["alg"] != "RS256" || header["kid"] != self.key_id.as_str() {
            return None;
        }
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.key.public_key().as_ref())
            .verify(signed.as_bytes(), &part(signature)?)
            .ok()?;
        serde_json::from_slice(&part(claims)?).ok()
    }
}

/// libtrust's name for a key: the first 30 bytes of the SHA-256 of its public part in DER, in base32, in groups of four.
fn key_id(public_key_der: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, public_key_der);
    let text = BASE32_NOPAD.encode(&hash.as_ref()[..30]);
    let groups: Vec<&str> = (0..text.len()).step_by(4).map(|at| &text[at..at + 4]).collect();
    groups.join(":")
}
