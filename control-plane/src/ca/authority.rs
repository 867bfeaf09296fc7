//! The authority as the rest of the control plane sees it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use portolan_shared::model::{SensorId, TenantId};
use portolan_shared::process::Rng;
use portolan_shared::tls::{SpkiPin, provider};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::files::{self, CaError};
use super::profile::{self, SERVER_LIFE, Side, Validity};
use super::request::RequestedKey;
use super::tier::Tier;

/// Issues certificates for the sensors and for the control plane's own listener.
pub struct Authority {
    folder: PathBuf,
    deployment: String,
    server: Tier,
    sensor: Tier,
    rng: Arc<dyn Rng>,
}

/// A sensor's certificate before it is issued, so that what identifies it can be stored first.
#[derive(Debug, Clone, Copy)]
pub struct PlannedCertificate {
    /// Its serial number.
    pub serial: [u8; 16],
    validity: Validity,
}

impl PlannedCertificate {
    /// When it will end.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.validity.not_after
    }
}

/// One of the authority's own certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityCertificate {
    /// What it is: `server-root`, `server-issuing`, `sensor-root` or `sensor-issuing`.
    pub name: &'static str,
    /// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` shows it, in lower-case hexadecimal digits without colons.
    pub fingerprint: String,
    /// When it ends.
    pub not_after: Timestamp,
}

/// A certificate of the control plane's listener.
pub struct IssuedServer {
    /// Chain, root included, and key, ready for rustls.
    pub certified: Arc<CertifiedKey>,
    /// When it should be replaced: at half of its life.
    pub replace_at: Timestamp,
}

/// File that holds the name of this deployment in sensors' certificates.
const DEPLOYMENT: &str = "deployment";

impl Authority {
    /// Reads the authority from its folder, or makes both when the folder does not exist.
    pub fn open(folder: &Path, now: Timestamp, rng: Arc<dyn Rng>) -> Result<Self, CaError> {
        if !folder.exists() {
            let mut random = [0; 8];
            rng.fill(&mut random);
            let deployment = format!("portolan-{}", HEXLOWER.encode(&random));
            let mut files = Tier::generate(Side::Server, &deployment, now, rng.as_ref())?;
            files.extend(Tier::generate(Side::Sensor, &deployment, now, rng.as_ref())?);
            files.push((DEPLOYMENT.to_owned(), format!("{deployment}\n")));
            files::create_folder(folder, &files)?;
        }
        let path = folder.join(DEPLOYMENT);
        let deployment = files::read(&path)?.trim().to_owned();
        let name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        if deployment.is_empty() || deployment.len() > 100 || !deployment.bytes().all(name) {
            return Err(CaError::Content {
                path,
                what: "the name of a deployment",
            });
        }
        Ok(Self {
            server: Tier::load(Side::Server, folder)?,
            sensor: Tier::load(Side::Sensor, folder)?,
            folder: folder.to_owned(),
            deployment,
            rng,
        })
    }

    /// Name of this deployment in sensors' certificates.
    #[must_use]
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// The root that sensors trust the control plane by, DER.
    #[must_use]
    pub fn server_root(&self) -> &CertificateDer<'static> {
        self.server.root()
    }

    /// The root that the control plane trusts sensors by, DER.
    #[must_use]
    pub fn sensor_root(&self) -> &CertificateDer<'static> {
        self.sensor.root()
    }

    /// Hashes of the keys of the server roots, for enrolment tokens.
    #[must_use]
    pub fn server_pins(&self) -> Vec<SpkiPin> {
        SpkiPin::of_certificate(self.server_root()).into_iter().collect()
    }

    /// The certificates of the roots and of the issuing CAs that are in use.
    #[must_use]
    pub fn certificates(&self) -> Vec<AuthorityCertificate> {
        let signers = self.server.signers().into_iter().chain(self.sensor.signers());
        let certificates = signers.map(|(name, certificate, not_after)| AuthorityCertificate {
            name,
            fingerprint: HEXLOWER.encode(digest(&SHA256, &certificate).as_ref()),
            not_after,
        });
        certificates.collect()
    }

    /// Makes new issuing CAs where the present ones have less than half of their life left. Gives whether any was made.
    pub fn refresh(&self, now: Timestamp) -> Result<bool, CaError> {
        let tier = |tier: &Tier| tier.refresh(&self.deployment, &self.folder, now, self.rng.as_ref());
        Ok(tier(&self.server)? | tier(&self.sensor)?)
    }

    /// Plans a sensor's certificate.
    #[must_use]
    pub fn plan(&self, now: Timestamp) -> PlannedCertificate {
        PlannedCertificate {
            serial: profile::serial(self.rng.as_ref()),
            validity: Validity::of_sensor(now),
        }
    }

    /// Issues a planned certificate. Gives the chain, leaf first, without the root.
    pub fn issue_sensor(
        &self,
        planned: PlannedCertificate,
        tenant: TenantId,
        sensor: SensorId,
        key: &RequestedKey,
    ) -> Result<Vec<CertificateDer<'static>>, CaError> {
        let params = profile::sensor(&self.deployment, tenant, sensor, planned.serial, planned.validity)?;
        let issuing = self.sensor.issuing();
        Ok(vec![
            issuing.issue(&params, &key.key)?,
            issuing.certificate.clone(),
        ])
    }

    /// Makes a key and a certificate for the control plane's listener under these DNS names and IP addresses. The chain includes the
    /// root, because a sensor that enrols has only its hash.
    pub fn issue_server(&self, names: &[String], now: Timestamp) -> Result<IssuedServer, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let params = profile::server(
            names,
            profile::serial(self.rng.as_ref()),
            Validity::of_server(now),
        )?;
        let issuing = self.server.issuing();
        let chain = vec![
            issuing.issue(&params, &key)?,
            issuing.certificate.clone(),
            self.server.root().clone(),
        ];
        let certified = CertifiedKey::from_der(chain, PrivateKeyDer::from(key), &provider())?;
        Ok(IssuedServer {
            certified: Arc::new(certified),
            replace_at: now.saturating_add(SERVER_LIFE / 2).unwrap_or(now),
        })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("deployment", &self.deployment)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
