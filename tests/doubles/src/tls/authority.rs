//! The authority itself.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use portolan_shared::process::Clock;
use portolan_shared::tls::provider;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::leaf::{Leaf, LeafFault};

/// A private certificate authority: a root that nobody trusts by default, and an intermediate that signs the servers'
/// certificates, as companies run it. All keys live in memory.
pub struct PrivateCa {
    root: rcgen::Certificate,
    intermediate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
    year: i32,
}

impl std::fmt::Debug for PrivateCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateCa")
            .field("year", &self.year)
            .finish_non_exhaustive()
    }
}

impl PrivateCa {
    /// A new authority whose subjects carry `organisation`. The clock decides what "expired" means: certificates are valid from
    /// the first day of last year to the last day of next year.
    pub fn new(organisation: &str, clock: &dyn Clock) -> anyhow::Result<Self> {
        let year = i32::from(clock.now().to_zoned(jiff::tz::TimeZone::UTC).year());
        let root_key = KeyPair::generate().context("make the root's key")?;
        let root_params = authority(organisation, "Root", 1, year);
        let root = root_params.self_signed(&root_key).context("sign the root")?;
        let root_issuer = Issuer::new(root_params, root_key);
        let key = KeyPair::generate().context("make the intermediate's key")?;
        let params = authority(organisation, "Issuing CA 1", 0, year);
        let intermediate = params
            .signed_by(&key, &root_issuer)
            .context("sign the intermediate")?;
        Ok(Self {
            root,
            intermediate,
            issuer: Issuer::new(params, key),
            year,
        })
    }

    /// The root certificate in PEM: what an operator would give as the CA file.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// The root certificate in DER.
    #[must_use]
    pub fn root_der(&self) -> CertificateDer<'static> {
        self.root.der().clone()
    }

    /// The intermediate certificate in PEM.
    #[must_use]
    pub fn intermediate_pem(&self) -> String {
        self.intermediate.pem()
    }

    /// Writes the root as `ca.crt` into `folder`, the form that `/etc/docker/certs.d/HOST:PORT/` and skopeo's `--cert-dir` take.
    pub fn write_root(&self, folder: &Path) -> anyhow::Result<std::path::PathBuf> {
        let path = folder.join("ca.crt");
        std::fs::write(&path, self.root_pem()).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// A client that trusts this authority alone and presents no certificate. ALPN is left to whoever uses it.
    pub fn client_config(&self) -> anyhow::Result<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(self.root_der())
            .context("take the root as a trust anchor")?;
        Ok(rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .context("choose protocol versions")?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }

    /// A sound server certificate for 127.0.0.1, `localhost` and the given names or addresses.
    pub fn leaf(&self, names: &[&str]) -> anyhow::Result<Leaf> {
        self.faulty_leaf(names, None)
    }

    /// A server certificate with one thing wrong.
    pub fn faulty_leaf(&self, names: &[&str], fault: Option<LeafFault>) -> anyhow::Result<Leaf> {
        let key = KeyPair::generate().context("make a server's key")?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(names.first().copied().unwrap_or("localhost"), None);
        params.subject_alt_names = match fault {
            Some(LeafFault::WrongName) => vec![san("somewhere-else.example")?],
            Some(LeafFault::CommonNameOnly) => Vec::new(),
            Some(_) | None => ["127.0.0.1", "localhost"]
                .iter()
                .chain(names)
                .map(|name| san(name))
                .collect::<anyhow::Result<_>>()?,
        };
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let (first, last) = match fault {
            Some(LeafFault::Expired) => (self.year - 3, self.year - 2),
            Some(LeafFault::NotYetValid) => (self.year + 2, self.year + 3),
            Some(_) | None => (self.year - 1, self.year + 1),
        };
        params.not_before = date_time_ymd(first, 1, 1);
        params.not_after = date_time_ymd(last, 12, 31);
        let certificate = if fault == Some(LeafFault::SelfSigned) {
            params.self_signed(&key)
        } else {
            params.signed_by(&key, &self.issuer)
        }
        .context("sign a server's certificate")?;
        let mut chain = vec![certificate.der().clone()];
        let mut chain_pem = certificate.pem();
        if !matches!(
            fault,
            Some(LeafFault::MissingIntermediate | LeafFault::SelfSigned)
        ) {
            chain.push(self.intermediate.der().clone());
            chain_pem.push_str(&self.intermediate.pem());
        }
        Ok(Leaf {
            chain,
            chain_pem,
            key_pem: key.serialize_pem(),
            key: Arc::new(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(
                key.serialize_der(),
            ))),
        })
    }
}

fn authority(organisation: &str, name: &str, path_length: u8, year: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(&format!("{organisation} {name}"), Some(organisation));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Wide enough to be valid around every fault that a leaf can have.
    params.not_before = date_time_ymd(year - 4, 1, 1);
    params.not_after = date_time_ymd(year + 10, 12, 31);
    params
}

fn subject(common_name: &str, organisation: Option<&str>) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, DnValue::Utf8String(common_name.to_owned()));
    if let Some(organisation) = organisation {
        subject.push(
            DnType::OrganizationName,
            DnValue::Utf8String(organisation.to_owned()),
        );
    }
    subject
}

fn san(name: &str) -> anyhow::Result<SanType> {
    Ok(match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(
            name.try_into()
                .with_context(|| format!("{name:?} as a DNS name"))?,
        ),
    })
}
