//! Who a sensor's certificate says it is.

use jiff::Timestamp;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::model::{SensorId, TenantId};

/// The identity in a sensor's certificate. Holds only for a certificate whose chain was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Whose sensor.
    pub tenant: TenantId,
    /// Which sensor.
    pub sensor: SensorId,
    /// Serial number of the certificate.
    pub serial: [u8; 16],
    /// Its first moment.
    pub not_before: Timestamp,
    /// Its last moment.
    pub not_after: Timestamp,
}

/// Why a certificate is not that of a sensor of this deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeerIdentityError {
    /// Not a certificate.
    #[error("not an X.509 certificate")]
    Syntax,
    /// Not exactly one URI name of our form.
    #[error("the certificate does not name exactly one sensor of this deployment")]
    Name,
    /// Not for client authentication alone.
    #[error("the certificate is not for client authentication alone")]
    Usage,
    /// A serial number of the wrong length.
    #[error("the certificate's serial number is not one of ours")]
    Serial,
    /// Valid for longer than any of ours.
    #[error("the certificate is valid for longer than any that this control plane issues")]
    Lifetime,
}

/// Longest life of a sensor's certificate: seven days and ten minutes.
const LONGEST_LIFE_SECONDS: i64 = 7 * 86_400 + 600;

/// The URI name in the certificate of a sensor.
#[must_use]
pub fn sensor_uri(deployment: &str, tenant: TenantId, sensor: SensorId) -> String {
    format!("spiffe://{deployment}/tenant/{tenant}/sensor/{sensor}")
}

impl PeerIdentity {
    /// Reads the identity from a certificate.
    pub fn from_certificate(deployment: &str, der: &[u8]) -> Result<Self, PeerIdentityError> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| PeerIdentityError::Syntax)?;
        let mut uri = None;
        let mut client_alone = false;
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) => match names.general_names.as_slice() {
                    [GeneralName::URI(name)] if uri.is_none() => uri = Some(*name),
                    _ => return Err(PeerIdentityError::Name),
                },
                ParsedExtension::ExtendedKeyUsage(usage) => {
                    client_alone = usage.client_auth
                        && !usage.any
                        && !usage.server_auth
                        && !usage.code_signing
                        && !usage.email_protection
                        && !usage.time_stamping
                        && !usage.ocsp_signing
                        && usage.other.is_empty();
                }
                _ => {}
            }
        }
        if !client_alone {
            return Err(PeerIdentityError::Usage);
        }
        let (tenant, sensor) = uri
            .and_then(|uri| split(deployment, uri))
            .ok_or(PeerIdentityError::Name)?;
        let validity = certificate.validity();
        let (from, to) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        if to.saturating_sub(from) > LONGEST_LIFE_SECONDS {
            return Err(PeerIdentityError::Lifetime);
        }
        let time = |seconds| Timestamp::from_second(seconds).map_err(|_| PeerIdentityError::Syntax);
        Ok(Self {
            tenant,
            sensor,
            serial: certificate
                .raw_serial()
                .try_into()
                .map_err(|_| PeerIdentityError::Serial)?,
            not_before: time(from)?,
            not_after: time(to)?,
        })
    }
}

fn split(deployment: &str, uri: &str) -> Option<(TenantId, SensorId)> {
    let rest = uri
        .strip_prefix("spiffe://")?
        .strip_prefix(deployment)?
        .strip_prefix("/tenant/")?;
    let (tenant, sensor) = rest.split_once("/sensor/")?;
    let (tenant, sensor) = (tenant.parse().ok()?, sensor.parse().ok()?);
    (sensor_uri(deployment, tenant, sensor) == uri).then_some((tenant, sensor))
}
