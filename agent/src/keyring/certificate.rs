//! The certificate that this sensor shows, with its key.

use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp};
use portolan_shared::secret::SecretBytes;
use portolan_shared::tls::{CertificateLife, ClientIdentity};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct StoredCertificate {
    /// Leaf first, without the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's private key, PKCS #8.
    pub key: SecretBytes,
    /// When it was issued, by the control plane's clock.
    pub issued_at: Timestamp,
    /// When it was received, by this machine's clock. Together with `issued_at` it tells how far the two were apart.
    pub received_at: Timestamp,
    /// When it ends, by the control plane's clock.
    pub not_after: Timestamp,
}

impl StoredCertificate {
    /// For TLS.
    #[must_use]
    pub fn client_identity(&self) -> ClientIdentity {
        ClientIdentity {
            chain: self.chain.clone(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.expose().to_vec())),
        }
    }

    /// Its life by this machine's clock, so that a clock that is wrong but steady neither renews too often nor too late.
    #[must_use]
    pub fn life(&self) -> CertificateLife {
        let length = self.not_after.duration_since(self.issued_at);
        CertificateLife {
            issued_at: self.received_at,
            not_after: self.received_at.checked_add(length).unwrap_or(self.not_after),
        }
    }

    /// How far the control plane's clock was ahead of this machine's when the certificate was received.
    #[must_use]
    pub fn skew(&self) -> SignedDuration {
        self.issued_at.duration_since(self.received_at)
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut form = Form {
            chain: self.chain.iter().map(|der| BASE64.encode(der)).collect(),
            key: BASE64.encode(self.key.expose()),
            issued_at: self.issued_at,
            received_at: self.received_at,
            not_after: self.not_after,
        };
        let bytes = serde_json::to_vec(&form).expect("strings and times always have a JSON form");
        form.key.zeroize();
        Zeroizing::new(bytes)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let mut form: Form = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let chain: Result<Vec<_>, _> = form
            .chain
            .iter()
            .map(|text| BASE64.decode(text.as_bytes()))
            .collect();
        let key = BASE64.decode(form.key.as_bytes());
        form.key.zeroize();
        let (Ok(chain), Ok(key)) = (chain, key) else {
            return Err("it is not base64".to_owned());
        };
        if chain.is_empty() {
            return Err("it has no certificate".to_owned());
        }
        Ok(Self {
            chain: chain.into_iter().map(CertificateDer::from).collect(),
            key: SecretBytes::new(key),
            issued_at: form.issued_at,
            received_at: form.received_at,
            not_after: form.not_after,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Form {
    chain: Vec<String>,
    key: String,
    issued_at: Timestamp,
    received_at: Timestamp,
    not_after: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t17_a_wrong_clock_moves_neither_renewal_nor_end() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let certificate = StoredCertificate {
            chain: vec![CertificateDer::from(vec![1])],
            key: SecretBytes::new(vec![2]),
            issued_at: at(1_000_000),
            received_at: at(1_007_200),
            not_after: at(1_086_400),
        };
        assert_eq!(certificate.skew(), SignedDuration::from_hours(-2));
        assert_eq!(
            certificate.life().not_after,
            at(1_093_600),
            "a day after it was received, on a clock two hours fast"
        );
        let read = StoredCertificate::from_bytes(&certificate.to_bytes()).unwrap();
        assert_eq!(read.key.expose(), [2]);
        assert_eq!(
            (read.chain, read.not_after),
            (certificate.chain, certificate.not_after)
        );
    }
}
