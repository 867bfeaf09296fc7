//! The codes themselves.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::catalogue::{Entry, entry};
use crate::model::words::words;

words! {
    /// How much a finding matters.
    Severity {
        /// Worth knowing.
        Info = "info",
        /// Something could not be seen.
        Warning = "warning",
        /// Nothing could be seen.
        Error = "error",
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)*) => {
        /// The stable codes of findings. A code never changes its meaning and is never reused. What each means stands in the catalogue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FindingCode { $($(#[$doc])* #[serde(rename = $code)] $variant,)* }

        impl FindingCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as text.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

codes! {
    /// The sensor's policy forbids it.
    PolicyRefused = "policy.refused",
    /// A refused network address.
    AddressRefused = "policy.address",
    /// The administrator forbids it, and doctor was asked to heed that.
    PolicyMissing = "policy.missing",
    /// No credential to be had.
    CredentialUnavailable = "credential.unavailable",
    /// Too many others were refused.
    CredentialHeldBack = "credential.held_back",
    /// A sealed one that does not fit, or is not to be had any more.
    CredentialRefused = "credential.refused",
    /// None of the sensors can open it.
    CredentialAwaitsSealing = "credential.awaits_sealing",
    /// A host that a sealed one is not bound to.
    CredentialUnbound = "credential.unbound",
    /// None was given, and one is needed.
    CredentialNeeded = "credential.needed",
    /// It ends soon.
    CredentialExpiresSoon = "credential.expires_soon",
    /// It has ended.
    CredentialExpired = "credential.expired",
    /// It was revoked.
    CredentialRevoked = "credential.revoked",
    /// A kind that cannot read a registry.
    CredentialUnfit = "credential.unfit",
    /// A CI job's token.
    CredentialOfJob = "credential.of_job",
    /// The name does not fit the kind.
    CredentialNameUnusual = "credential.name_unusual",
    /// No sensor came for it.
    RunNotTaken = "run.not_taken",
    /// Its time was up.
    RunTooLong = "run.too_long",
    /// Whoever worked on it is gone.
    RunSensorLost = "run.sensor_lost",
    /// Nothing announces changes any more.
    EventsStopped = "events.stopped",
    /// They are announced to no purpose.
    EventsUnused = "events.unused",
    /// Never seen whole.
    RegistryNeverComplete = "registry.never_complete",
    /// Seen whole once, and not the last time.
    RegistryIncomplete = "registry.incomplete",
    /// Nobody is left who may read it.
    RegistryNoSensor = "registry.no_sensor",
    /// Not seen as it is now.
    RegistryChanged = "registry.changed",
    /// Nothing starts runs of it for the time being.
    RegistryPaused = "registry.paused",
    /// Alive, and gets nowhere.
    SensorNotProgressing = "sensor.not_progressing",
    /// Not heard of.
    SensorAway = "sensor.away",
    /// Shut out by a person.
    SensorSuspended = "sensor.suspended",
    /// Shut out because it may exist twice.
    SensorQuarantined = "sensor.quarantined",
    /// Somebody else had its token.
    SensorContested = "sensor.contested",
    /// No sensor has come yet for what the clock has started.
    ScheduleOverdue = "schedule.overdue",
    /// Nothing starts by itself now.
    ScheduleBlackout = "schedule.blackout",
    /// Others do not take what they are told.
    WebhookUndelivered = "webhook.undelivered",
    /// Others are not told any more.
    WebhookDisabled = "webhook.disabled",
    /// Our own fault or the machine's.
    Internal = "agent.internal",
    /// The name does not resolve.
    NameResolution = "registry.name_resolution",
    /// A name that only its own network knows.
    NameSingleLabel = "dns.single_label",
    /// No TCP connection.
    Unreachable = "registry.unreachable",
    /// Nobody listens there.
    PortClosed = "registry.port_closed",
    /// Packets vanish.
    ConnectTimedOut = "registry.connect_timed_out",
    /// The way out refuses.
    ProxyRefused = "proxy.refused",
    /// The way out is gone.
    ProxyUnreachable = "proxy.unreachable",
    /// The certificate is not trusted.
    TlsUntrusted = "registry.tls_untrusted",
    /// Its own authority.
    TlsSelfSigned = "tls.self_signed",
    /// An authority that is not known here.
    TlsPrivateCa = "tls.private_ca",
    /// A link is missing.
    TlsChainIncomplete = "tls.chain_incomplete",
    /// Too late.
    TlsExpired = "tls.expired",
    /// Too early.
    TlsNotYetValid = "tls.not_yet_valid",
    /// Another name.
    TlsWrongName = "tls.wrong_name",
    /// Somebody in between.
    TlsIntercepted = "tls.intercepted",
    /// Expired, not yet valid, wrong name.
    TlsInvalid = "registry.tls_invalid",
    /// TLS failed otherwise.
    TlsFailed = "registry.tls_failed",
    /// No TLS there.
    TlsPlainHttp = "tls.plain_http",
    /// TLS there.
    TlsExpected = "tls.expected",
    /// It ends soon.
    CertificateExpiresSoon = "tls.expires_soon",
    /// They want one of us.
    TlsClientCertificate = "tls.client_certificate",
    /// It is not a registry API.
    Protocol = "registry.protocol",
    /// 404 where the API should be.
    ApiMissing = "registry.api_missing",
    /// A page for people.
    WebPage = "registry.web_page",
    /// GitLab's other address.
    GitLabWebAddress = "gitlab.web_address",
    /// GitLab's registry is off.
    GitLabRegistryDisabled = "gitlab.registry_disabled",
    /// It does not say what it should.
    AcceptStripped = "registry.accept_stripped",
    /// It gives wrong links.
    ForwardedHeaders = "registry.forwarded_headers",
    /// The clocks differ.
    ClockSkew = "registry.clock_skew",
    /// Throttled.
    RateLimited = "registry.rate_limited",
    /// Enough for today.
    BudgetSpent = "registry.budget_spent",
    /// 5xx for good.
    Unavailable = "registry.unavailable",
    /// A body above its bound.
    TooLarge = "registry.too_large",
    /// Redirect not followed.
    RedirectRefused = "registry.redirect_refused",
    /// The storage's certificate.
    StorageUntrusted = "storage.tls_untrusted",
    /// The storage is away.
    StorageUnreachable = "storage.unreachable",
    /// Wrong login.
    AuthenticationFailed = "registry.authentication",
    /// The realm is elsewhere.
    RealmRefused = "registry.realm_refused",
    /// The name is wrong.
    GitLabDeployTokenName = "gitlab.deploy_token_name",
    /// A password where a token is needed.
    GitLabTwoFactor = "gitlab.two_factor",
    /// No right to registries.
    GitLabScopeMissing = "gitlab.scope_missing",
    /// Stripped on the way.
    GitLabAuthorizationStripped = "gitlab.authorization_stripped",
    /// One of two.
    GitLabAccessForbidden = "gitlab.access_forbidden",
    /// Shut out for a while.
    AddressBanned = "gitlab.address_banned",
    /// A fresh token is refused.
    TokenRefused = "token.refused",
    /// No token came.
    TokenUnreadable = "token.unreadable",
    /// Tokens are short.
    TokenLifetime = "token.lifetime",
    /// No right to it.
    Denied = "registry.denied",
    /// The project is not for it.
    GitLabProjectNotVisible = "gitlab.project_not_visible",
    /// The project has no registry.
    GitLabProjectRegistryOff = "gitlab.project_registry_off",
    /// A path that no image can have.
    GitLabPathUnsupported = "gitlab.path_unsupported",
    /// Under another path now.
    RepositoryMoved = "repository.moved",
    /// The catalog may not be read.
    CatalogDenied = "discovery.catalog_denied",
    /// There is no catalog.
    CatalogUnsupported = "discovery.catalog_unsupported",
    /// The product's own way is closed.
    NativeApiRefused = "discovery.native_refused",
    /// The product's own way needs to be told more.
    NativeApiNotAsked = "discovery.native_not_asked",
    /// Only what is named.
    NamesNeeded = "discovery.names_needed",
    /// Not everything can be seen.
    ViewIsPartial = "discovery.partial_view",
    /// They show what others hold.
    MergedPassedOver = "discovery.merged_passed_over",
    /// Nothing there.
    NothingVisible = "discovery.nothing_visible",
    /// Nothing left.
    FilterMatchesNothing = "filter.matches_nothing",
    /// Times are not known.
    FilterTimesUnknown = "filter.times_unknown",
    /// The catalog ended early.
    ListingIncomplete = "discovery.incomplete",
    /// Names outside the grammar.
    NameMalformed = "discovery.name_malformed",
    /// Hidden or gone.
    RepositoryMissing = "repository.missing",
    /// More tags than fit.
    RepositoryTruncated = "repository.truncated",
    /// Somebody else is at it, or was a moment ago.
    RepositoryBusy = "repository.busy",
    /// A tag that resolves to nothing.
    ManifestMissing = "manifest.missing",
    /// A manifest above the bound.
    ManifestTooLarge = "manifest.too_large",
    /// A manifest nobody can read.
    ManifestMalformed = "manifest.malformed",
    /// A child that is not there.
    ManifestChildMissing = "manifest.child_missing",
    /// Nesting beyond the bound.
    ManifestTooDeep = "manifest.too_deep",
    /// An old format.
    ManifestSchema1 = "manifest.schema1",
    /// Held back.
    ManifestBlocked = "manifest.blocked",
    /// Content does not match its digest.
    DigestMismatch = "manifest.digest_mismatch",
    /// A config that cannot be read.
    ConfigUnreadable = "config.unreadable",
    /// A policy that cleans nothing.
    GitLabCleanupMatchesNothing = "gitlab.cleanup_matches_nothing",
    /// A policy that cannot be read.
    GitLabCleanupInvalid = "gitlab.cleanup_invalid",
}

impl FindingCode {
    /// What the catalogue says of it.
    #[must_use]
    pub fn entry(self) -> &'static Entry {
        entry(self)
    }

    /// How much it matters.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.entry().severity
    }

    /// The likely cause.
    #[must_use]
    pub fn cause(self) -> &'static str {
        self.entry().cause
    }

    /// What to do about it.
    #[must_use]
    pub fn cure(self) -> &'static str {
        self.entry().cure
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for FindingCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| "unknown finding code".to_owned())
    }
}
