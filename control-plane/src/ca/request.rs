//! Certificate signing requests: only the public key is used, and only after it was shown to be held.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use portolan_shared::model::limits;
use rcgen::SubjectPublicKeyInfo;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ECDSA_WITH_SHA256};
use x509_parser::prelude::FromDer as _;

/// Why a request gives no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Larger than its bound.
    #[error("the certificate request is larger than {} bytes", limits::CSR_BYTES)]
    TooLarge,
    /// Not a request.
    #[error("not a PKCS #10 certificate request")]
    Syntax,
    /// Another kind of key, or of signature.
    #[error("the certificate request must be for an ECDSA P-256 key and signed with SHA-256")]
    Key,
    /// Not signed by that key.
    #[error("the certificate request is not signed by its own key")]
    Signature,
}

/// A public key whose holder asked for a certificate.
#[derive(Debug, Clone)]
pub struct RequestedKey {
    pub(super) key: SubjectPublicKeyInfo,
    /// The request also asked for names or extensions, which nothing of ours does. They are ignored.
    pub odd: bool,
}

impl RequestedKey {
    /// Takes the key from a request, DER, after checking size, kind of key and signature.
    pub fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > limits::CSR_BYTES {
            return Err(RequestError::TooLarge);
        }
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| RequestError::Syntax)?;
        if !rest.is_empty() {
            return Err(RequestError::Syntax);
        }
        let info = &request.certification_request_info;
        let spki = &info.subject_pki;
        let curve = spki
            .algorithm
            .parameters
            .as_ref()
            .and_then(|any| any.as_oid().ok());
        let point = spki.subject_public_key.data.as_ref();
        let p256 = spki.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY
            && curve.is_some_and(|oid| oid == OID_EC_P256)
            && point.len() == 65
            && point[0] == 4
            && request.signature_algorithm.algorithm == OID_SIG_ECDSA_WITH_SHA256;
        if !p256 {
            return Err(RequestError::Key);
        }
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(info.raw, request.signature_value.data.as_ref())
            .map_err(|_| RequestError::Signature)?;
        let key = SubjectPublicKeyInfo::from_der(spki.raw).map_err(|_| RequestError::Key)?;
        let odd = request
            .requested_extensions()
            .is_some_and(|mut extensions| extensions.next().is_some());
        Ok(Self { key, odd })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    fn request(algorithm: &'static rcgen::SignatureAlgorithm, names: &[&str]) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(names).unwrap();
        params.serialize_request(&key).unwrap().der().to_vec()
    }

    #[test]
    fn takes_p256_keys_alone() {
        assert!(
            !RequestedKey::from_der(&request(&PKCS_ECDSA_P256_SHA256, &[]))
                .unwrap()
                .odd
        );
        for other in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            assert_eq!(
                RequestedKey::from_der(&request(other, &[])).unwrap_err(),
                RequestError::Key
            );
        }
    }

    #[test]
    fn foreign_names_are_noticed_and_changes_refused() {
        let mut der = request(&PKCS_ECDSA_P256_SHA256, &["evil.example"]);
        assert!(RequestedKey::from_der(&der).unwrap().odd);
        let at = der.windows(4).position(|bytes| bytes == b"evil").unwrap();
        der[at] = b'E';
        assert_eq!(RequestedKey::from_der(&der).unwrap_err(), RequestError::Signature);
    }

    #[test]
    fn stops_at_its_bound() {
        let at_bound = vec![0; limits::CSR_BYTES];
        assert_eq!(
            RequestedKey::from_der(&at_bound).unwrap_err(),
            RequestError::Syntax
        );
        let above = vec![0; limits::CSR_BYTES + 1];
        assert_eq!(
            RequestedKey::from_der(&above).unwrap_err(),
            RequestError::TooLarge
        );
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = RequestedKey::from_der(&bytes);
        }
    }
}
