//! What each certificate looks like. Everything is built from these; nothing is taken from a request but its public key.

use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::{SensorId, TenantId};
use portolan_shared::process::Rng;
use portolan_shared::tls::sensor_uri;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType, SerialNumber,
};

/// Life of a root.
const ROOT_LIFE: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
/// Life of an issuing CA.
pub(super) const ISSUING_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Life of a server's certificate.
pub(super) const SERVER_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Life of a sensor's certificate. Shutting a sensor out does not depend on it; it bounds the damage when the database is lost.
const SENSOR_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// How far authorities and servers are backdated: sensors with slow clocks still connect, and are told.
const SERVER_BACKDATE: SignedDuration = SignedDuration::from_hours(1);
/// How far sensors' certificates are backdated.
const SENSOR_BACKDATE: SignedDuration = SignedDuration::from_mins(5);

/// Which of the two hierarchies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Certificates of the control plane.
    Server,
    /// Certificates of sensors.
    Sensor,
}

impl Side {
    /// The word in file names and subjects.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Sensor => "sensor",
        }
    }

    fn usage(self) -> ExtendedKeyUsagePurpose {
        match self {
            Self::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Self::Sensor => ExtendedKeyUsagePurpose::ClientAuth,
        }
    }
}

/// From when to when a certificate is valid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validity {
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl Validity {
    fn around(now: Timestamp, backdate: SignedDuration, life: SignedDuration) -> Self {
        // Certificates carry whole seconds.
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self {
            not_before: now.saturating_sub(backdate).unwrap_or(now),
            not_after: now.saturating_add(life).unwrap_or(now),
        }
    }

    /// Of a sensor's certificate that is issued now.
    pub(super) fn of_sensor(now: Timestamp) -> Self {
        Self::around(now, SENSOR_BACKDATE, SENSOR_LIFE)
    }

    /// Of a server's certificate that is issued now.
    pub(super) fn of_server(now: Timestamp) -> Self {
        Self::around(now, SERVER_BACKDATE, SERVER_LIFE)
    }

    /// Of an issuing CA that is made now.
    pub(super) fn of_issuing(now: Timestamp) -> Self {
        Self::around(now, SERVER_BACKDATE, ISSUING_LIFE)
    }

    /// Of a root that is made now.
    pub(super) fn of_root(now: Timestamp) -> Self {
        Self::around(now, SERVER_BACKDATE, ROOT_LIFE)
    }
}

/// A serial number: sixteen random bytes, positive, and sixteen bytes long in DER too.
pub(super) fn serial(rng: &dyn Rng) -> [u8; 16] {
    let mut serial = [0; 16];
    rng.fill(&mut serial);
    serial[0] = (serial[0] & 0x7f) | 0x40;
    serial
}

/// A root.
pub(super) fn root(side: Side, deployment: &str, serial: [u8; 16], validity: Validity) -> CertificateParams {
    let mut params = base(
        &format!("Portolan {} root {deployment}", side.word()),
        serial,
        validity,
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// An issuing CA: nothing below it but leaves, and for one use alone.
pub(super) fn issuing(
    side: Side,
    deployment: &str,
    serial: [u8; 16],
    validity: Validity,
) -> CertificateParams {
    let mut params = base(
        &format!("Portolan {} issuing {deployment}", side.word()),
        serial,
        validity,
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![side.usage()];
    params.use_authority_key_identifier_extension = true;
    params
}

/// A sensor: exactly one URI name. The common name is for people and never parsed.
pub(super) fn sensor(
    deployment: &str,
    tenant: TenantId,
    sensor: SensorId,
    serial: [u8; 16],
    validity: Validity,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = leaf(Side::Sensor, &sensor.to_string(), serial, validity);
    params.subject_alt_names = vec![SanType::URI(sensor_uri(deployment, tenant, sensor).try_into()?)];
    Ok(params)
}

/// A server with these DNS names and IP addresses.
pub(super) fn server(
    names: &[String],
    serial: [u8; 16],
    validity: Validity,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = leaf(Side::Server, "Portolan control plane", serial, validity);
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(ip) => SanType::IpAddress(ip),
            Err(_) => SanType::DnsName(name.as_str().try_into()?),
        });
    }
    Ok(params)
}

fn leaf(side: Side, common_name: &str, serial: [u8; 16], validity: Validity) -> CertificateParams {
    let mut params = base(common_name, serial, validity);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![side.usage()];
    params.use_authority_key_identifier_extension = true;
    params
}

fn base(common_name: &str, serial: [u8; 16], validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |at: Timestamp| Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0));
    params.not_before = epoch + since(validity.not_before);
    params.not_after = epoch + since(validity.not_after);
    params
}
