//! Pins: hashes of public keys that are trusted before anything else is.

use std::fmt;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// SHA-256 over the whole DER `SubjectPublicKeyInfo` of a certificate, outer sequence included, as `openssl` computes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpkiPin(pub [u8; 32]);

impl SpkiPin {
    /// The pin of a certificate; none if it cannot be parsed.
    #[must_use]
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let hash = digest::digest(&digest::SHA256, certificate.tbs_certificate.subject_pki.raw);
        hash.as_ref().try_into().ok().map(Self)
    }
}

impl fmt::Display for SpkiPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for SpkiPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpkiPin({self})")
    }
}
