//! What a credential is bound to.

use super::fields::{Fields, put};
use super::form::FormError;
use super::hosts::{BoundHost, BoundHosts};
use super::second::UnixSecond;
use crate::model::{CredentialId, RegistryId, RegistryUrl, TenantId, words};

words! {
    /// How a registry is spoken to.
    Scheme {
        /// In clear.
        Http = "http",
        /// Over TLS.
        Https = "https",
    }
}

impl From<&RegistryUrl> for Scheme {
    fn from(url: &RegistryUrl) -> Self {
        if url.is_https() { Self::Https } else { Self::Http }
    }
}

words! {
    /// What of a sealed credential does not fit. Tells what is wrong without telling any value.
    BindingField {
        /// Another tenant.
        Tenant = "tenant",
        /// Another registry.
        Registry = "registry",
        /// In clear instead of over TLS, or the other way round.
        Scheme = "scheme",
        /// Another host.
        Host = "host",
        /// Another port.
        Port = "port",
        /// Other token services.
        RealmHosts = "realm_hosts",
        /// Other hosts that content is stored on.
        StorageHosts = "storage_hosts",
        /// Another credential.
        Credential = "credential",
        /// Another version of it.
        Version = "version",
        /// Made at another time.
        CreatedAt = "created_at",
        /// Ends at another time.
        ExpiresAt = "expires_at",
        /// Sealed to another sensor.
        Recipient = "recipient",
        /// Sealed to another key of this sensor.
        SealingKey = "sealing_key",
        /// Ciphertext that does not belong to this binding, or was changed.
        Ciphertext = "ciphertext",
    }
}

/// Everything that a credential is bound to, whoever receives it: it opens with exactly this and with nothing else.
///
/// The hosts of token services and of content storage are those that the entering client saw and accepted. The registry's own host is
/// allowed without being among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialBinding {
    /// Whose registry.
    pub tenant: TenantId,
    /// Which registry.
    pub registry: RegistryId,
    /// How the registry is spoken to.
    pub scheme: Scheme,
    /// The registry's host and port.
    pub host: BoundHost,
    /// Token services that the login may be sent to.
    pub realm_hosts: BoundHosts,
    /// Hosts that a download may be redirected to. The login itself is never sent there.
    pub storage_hosts: BoundHosts,
    /// Which credential.
    pub credential: CredentialId,
    /// Which version of it: a sensor refuses one below the highest that it has seen.
    pub version: u64,
    /// When it was sealed.
    pub created_at: UnixSecond,
    /// From when on it must not be used, if that is known.
    pub expires_at: Option<UnixSecond>,
}

const CONTEXT: &[u8] = b"portolan credential binding v1";
const FORM: &str = "credential binding";

impl CredentialBinding {
    /// The canonical bytes: what is stored, sent, authenticated and repeated inside of the payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        put(&mut out, CONTEXT);
        put(&mut out, self.tenant.as_bytes());
        put(&mut out, self.registry.as_bytes());
        put(&mut out, self.scheme.as_str().as_bytes());
        put(&mut out, self.host.host().as_bytes());
        put(&mut out, &self.host.port().to_be_bytes());
        put(&mut out, &self.realm_hosts.encode());
        put(&mut out, &self.storage_hosts.encode());
        put(&mut out, self.credential.as_bytes());
        put(&mut out, &self.version.to_be_bytes());
        put(&mut out, &self.created_at.to_bytes());
        put(
            &mut out,
            self.expires_at
                .map(UnixSecond::to_bytes)
                .as_ref()
                .map_or(&[], <[u8; 8]>::as_slice),
        );
        out
    }

    /// Reads the canonical bytes, and nothing but them: what is read encodes to the same bytes again.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        Self::from_fields(Fields(bytes)).ok_or(FormError::Malformed(FORM))
    }

    fn from_fields(mut fields: Fields<'_>) -> Option<Self> {
        if fields.next()? != CONTEXT {
            return None;
        }
        let tenant = TenantId::from_slice(fields.next()?).ok()?;
        let registry = RegistryId::from_slice(fields.next()?).ok()?;
        let scheme = fields.text()?.parse().ok()?;
        let host_text = fields.text()?;
        let port = u16::from_be_bytes(fields.array()?);
        let host: BoundHost = format!("{host_text}:{port}").parse().ok()?;
        if host.host() != host_text || host.port() != port {
            return None;
        }
        let realm_hosts = BoundHosts::parse(fields.next()?)?;
        let storage_hosts = BoundHosts::parse(fields.next()?)?;
        let credential = CredentialId::from_slice(fields.next()?).ok()?;
        let version = u64::from_be_bytes(fields.array()?);
        let created_at = UnixSecond::from_bytes(fields.array()?)?;
        let expires_at = match fields.next()? {
            [] => None,
            bytes => Some(UnixSecond::from_bytes(bytes.try_into().ok()?)?),
        };
        fields.end()?;
        Some(Self {
            tenant,
            registry,
            scheme,
            host,
            realm_hosts,
            storage_hosts,
            credential,
            version,
            created_at,
            expires_at,
        })
    }

    /// The first field in which two bindings differ; `None` if they are the same.
    ///
    /// Opening fails for any difference without telling which: this does, and is asked first.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<BindingField> {
        let origin = self.difference_from_origin(other.tenant, other.registry, other.scheme, &other.host);
        origin.or_else(|| {
            [
                (self.realm_hosts != other.realm_hosts, BindingField::RealmHosts),
                (
                    self.storage_hosts != other.storage_hosts,
                    BindingField::StorageHosts,
                ),
                (self.credential != other.credential, BindingField::Credential),
                (self.version != other.version, BindingField::Version),
                (self.created_at != other.created_at, BindingField::CreatedAt),
                (self.expires_at != other.expires_at, BindingField::ExpiresAt),
            ]
            .into_iter()
            .find_map(|(differs, field)| differs.then_some(field))
        })
    }

    /// The first field in which the binding does not fit the registry that a job is about; `None` if it does.
    ///
    /// What a job says of a registry has no part in the other fields, which come with the credential alone.
    #[must_use]
    pub fn difference_from_registry(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        url: &RegistryUrl,
    ) -> Option<BindingField> {
        self.difference_from_origin(tenant, registry, url.into(), &url.into())
    }

    fn difference_from_origin(
        &self,
        tenant: TenantId,
        registry: RegistryId,
        scheme: Scheme,
        host: &BoundHost,
    ) -> Option<BindingField> {
        [
            (self.tenant != tenant, BindingField::Tenant),
            (self.registry != registry, BindingField::Registry),
            (self.scheme != scheme, BindingField::Scheme),
            (self.host.host() != host.host(), BindingField::Host),
            (self.host.port() != host.port(), BindingField::Port),
        ]
        .into_iter()
        .find_map(|(differs, field)| differs.then_some(field))
    }

    /// Whether the login may be sent to this host: the registry's own, or one of its token services.
    #[must_use]
    pub fn may_have_login(&self, host: &str, port: u16) -> bool {
        (self.host.host() == host && self.host.port() == port) || self.realm_hosts.contains(host, port)
    }
}
