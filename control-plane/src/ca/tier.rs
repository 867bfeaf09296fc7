//! One hierarchy: a root and its issuing CA.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use portolan_shared::process::{Rng, write_atomically};
use rcgen::{Certificate, CertificateParams, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::files::{self, CaError};
use super::profile::{self, ISSUING_LIFE, Side, Validity};

/// A CA certificate with its key.
pub(super) struct Signer {
    pub(super) certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    pub(super) not_after: Timestamp,
}

/// A root and its issuing CA.
pub(super) struct Tier {
    side: Side,
    root: Signer,
    issuing: RwLock<Arc<Signer>>,
}

/// A CA as it is written to disk.
struct Written {
    certificate: Certificate,
    key: KeyPair,
}

impl Tier {
    /// Makes root and issuing CA; gives them as files.
    pub(super) fn generate(
        side: Side,
        deployment: &str,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<Vec<(String, String)>, CaError> {
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let root_params = profile::root(side, deployment, profile::serial(rng), Validity::of_root(now));
        let root = root_params.self_signed(&root_key)?;
        let issuer = Issuer::from_params(&root_params, &root_key);
        let issuing = generate_issuing(side, deployment, &issuer, now, rng)?;
        Ok(vec![
            (
                file_name(side, "root"),
                format!("{}{}", root.pem(), root_key.serialize_pem()),
            ),
            (file_name(side, "issuing"), issuing.into_pem()),
        ])
    }

    /// Reads root and issuing CA.
    pub(super) fn load(side: Side, folder: &Path) -> Result<Self, CaError> {
        Ok(Self {
            side,
            root: load_signer(side, "root", folder)?,
            issuing: RwLock::new(Arc::new(load_signer(side, "issuing", folder)?)),
        })
    }

    /// Puts a new issuing CA in the place of one that has less than half of its life left. What the old one issued stays valid, because
    /// verification starts at the root.
    pub(super) fn refresh(
        &self,
        deployment: &str,
        folder: &Path,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<bool, CaError> {
        let left = self.issuing().not_after.duration_since(now);
        if left * 2 > ISSUING_LIFE {
            return Ok(false);
        }
        let made = generate_issuing(self.side, deployment, &self.root.issuer, now, rng)?;
        write_atomically(
            &folder.join(file_name(self.side, "issuing")),
            made.into_pem().as_bytes(),
        )?;
        let signer = load_signer(self.side, "issuing", folder)?;
        *self.issuing.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(signer);
        Ok(true)
    }

    /// What it signs with, and until when: the root first.
    pub(super) fn signers(&self) -> [(&'static str, CertificateDer<'static>, Timestamp); 2] {
        let issuing = self.issuing();
        let [root_name, issuing_name] = match self.side {
            Side::Server => ["server-root", "server-issuing"],
            Side::Sensor => ["sensor-root", "sensor-issuing"],
        };
        [
            (root_name, self.root.certificate.clone(), self.root.not_after),
            (issuing_name, issuing.certificate.clone(), issuing.not_after),
        ]
    }

    /// The root, DER.
    pub(super) fn root(&self) -> &CertificateDer<'static> {
        &self.root.certificate
    }

    /// The issuing CA in use.
    pub(super) fn issuing(&self) -> Arc<Signer> {
        Arc::clone(&self.issuing.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Signer {
    /// Issues a certificate.
    pub(super) fn issue(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<CertificateDer<'static>, CaError> {
        Ok(params.signed_by(key, &self.issuer)?.der().clone())
    }
}

fn generate_issuing(
    side: Side,
    deployment: &str,
    root: &Issuer<'_, impl rcgen::SigningKey>,
    now: Timestamp,
    rng: &dyn Rng,
) -> Result<Written, CaError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let params = profile::issuing(side, deployment, profile::serial(rng), Validity::of_issuing(now));
    let certificate = params.signed_by(&key, root)?;
    Ok(Written { certificate, key })
}

impl Written {
    /// Certificate and key in one file, so that no crash can leave one without the other.
    fn into_pem(self) -> String {
        format!("{}{}", self.certificate.pem(), self.key.serialize_pem())
    }
}

fn file_name(side: Side, level: &str) -> String {
    format!("{}-{level}.pem", side.word())
}

fn load_signer(side: Side, level: &str, folder: &Path) -> Result<Signer, CaError> {
    let path = folder.join(file_name(side, level));
    let text = files::read(&path)?;
    let content = |what| CaError::Content {
        path: path.clone(),
        what,
    };
    let certificate =
        CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| content("a certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| content("a private key"))?;
    let key = KeyPair::try_from(&key).map_err(|_| content("a private key that can be used"))?;
    let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| content("a certificate"))?;
    if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
        return Err(content("a certificate and its own key"));
    }
    let not_after = Timestamp::from_second(parsed.validity().not_after.timestamp())
        .map_err(|_| content("a certificate with a time"))?;
    let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
    Ok(Signer {
        certificate: certificate.clone(),
        issuer,
        not_after,
    })
}
