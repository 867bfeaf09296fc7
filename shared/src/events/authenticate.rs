//! Whether a notification comes from whoever knows the secret.

use aws_lc_rs::hmac;
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Headers, Sender, WebhookSecret, standard};

/// What every webhook of GitLab has, and no notification of its registry.
const GITLAB_EVENT: &str = "X-Gitlab-Event";

/// What a request shows for itself.
pub struct Shown<'a> {
    /// What stands in the path where the secret would, percent-decoded; `None` if the path has no such place.
    pub path_secret: Option<&'a str>,
    /// Its headers.
    pub headers: &'a dyn Headers,
    /// Its body, to the byte as it came.
    pub body: &'a [u8],
    /// The time of day.
    pub now: Timestamp,
}

/// Why a notification is not believed. For the log and the counters: a sender is told no more than that it was refused. Carries nothing that
/// the request showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthentic {
    /// Neither a secret nor a signature, or none in a place that this sender's products use.
    #[error("no secret and no signature was shown")]
    Nothing,
    /// Something was shown in the place of the secret, and is not the secret.
    #[error("the secret that was shown is wrong")]
    Secret,
    /// A signature is there and does not verify: another secret, or a changed body.
    #[error("the signature in {header} does not verify")]
    Signature {
        /// The header that it stands in.
        header: &'static str,
    },
    /// A signature is there without what else it covers.
    #[error("a signature was shown without a usable {header}")]
    Incomplete {
        /// The header that is not there, or is not what it should be.
        header: &'static str,
    },
    /// The signature is right and too old, or from the future: sent again by somebody, or one of the two clocks is wrong.
    #[error("the signature is genuine and its time is {off_by_seconds} s off")]
    Stale {
        /// By how much our clock is ahead of the time that was signed.
        off_by_seconds: i64,
    },
}

/// A header with a signature of the body.
struct Signature {
    header: &'static str,
    /// What stands in front of the hexadecimal digits, if anything does.
    prefix: &'static str,
    algorithm: &'static hmac::Algorithm,
    /// Whether the secret itself may stand in its place.
    or_secret: bool,
}

/// Whoever sends one of these must have it right, whoever it is.
const SIGNATURES: [Signature; 5] = [
    Signature {
        header: "X-Hub-Signature-256",
        prefix: "sha256=",
        algorithm: &hmac::HMAC_SHA256,
        or_secret: false,
    },
    Signature {
        header: "X-Gitea-Signature",
        prefix: "",
        algorithm: &hmac::HMAC_SHA256,
        or_secret: false,
    },
    Signature {
        header: "X-Forgejo-Signature",
        prefix: "",
        algorithm: &hmac::HMAC_SHA256,
        or_secret: false,
    },
    Signature {
        header: "X-Nexus-Webhook-Signature",
        prefix: "",
        algorithm: &hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        or_secret: false,
    },
    Signature {
        header: "X-JFrog-Event-Auth",
        prefix: "sha256=",
        algorithm: &hmac::HMAC_SHA256,
        or_secret: true,
    },
];

/// Whether `shown` proves that its sender knows `secret`.
///
/// Every signature that is there must verify, whatever else is shown; one that does is enough. Without any, the secret itself must be shown: in
/// the path, or in a header that products of this sender can be told to send.
pub fn authenticate(sender: Sender, secret: &WebhookSecret, shown: &Shown<'_>) -> Result<(), NotAuthentic> {
    let mut signed = false;
    for signature in &SIGNATURES {
        signed |= signature.verify(secret, shown)?;
    }
    if let Some(entries) = standard::entries(shown.headers) {
        standard::verify(secret, entries, shown.headers, shown.body, shown.now)?;
        signed = true;
    }
    if signed {
        return Ok(());
    }
    shows_secret(sender, secret, shown.path_secret, shown.headers)
}

/// Whether a request shows the secret itself: in the path, in a header that products of this sender can be told to send, or in the place of a
/// signature where that is a product's way. Needs no body: a receiver can tell so before it takes one in, and need not count whoever does among those
/// whom it does not know. That is enough for a [webhook of GitLab](is_gitlab_webhook), whatever it is signed with; of all others a signature has to
/// verify as well, if there is one.
pub fn shows_secret(
    sender: Sender,
    secret: &WebhookSecret,
    path_secret: Option<&str>,
    headers: &dyn Headers,
) -> Result<(), NotAuthentic> {
    let in_path = path_secret.map(|text| secret.is(text.as_bytes()));
    let in_authorization = takes_authorization(sender)
        .then(|| headers.get("Authorization"))
        .flatten()
        .map(|value| in_authorization(secret, value.trim()));
    let in_token = takes_gitlab_token(sender)
        .then(|| headers.get("X-Gitlab-Token"))
        .flatten()
        .map(|value| secret.is(value.trim().as_bytes()));
    let instead = SIGNATURES.iter().filter(|signature| signature.or_secret);
    let in_signature = instead
        .filter_map(|signature| signature.of(headers))
        .map(|(value, _)| secret.is(value.as_bytes()))
        .reduce(|one, other| one || other);
    match [in_path, in_authorization, in_token, in_signature] {
        places if places.contains(&Some(true)) => Ok(()),
        [None, None, None, None] => Err(NotAuthentic::Nothing),
        _ => Err(NotAuthentic::Secret),
    }
}

/// Whether these headers show a signature. Without one, the body of a request says nothing about whether it is authentic, and [`authenticate`]
/// does not look at it: a receiver can judge such a request before it takes the body in.
#[must_use]
pub fn is_signed(headers: &dyn Headers) -> bool {
    SIGNATURES.iter().any(|signature| signature.of(headers).is_some()) || standard::entries(headers).is_some()
}

impl Signature {
    /// Its header's value, and the digits in it. An empty one is none: Gitea sends the headers also where no secret is set.
    fn of<'h>(&self, headers: &'h dyn Headers) -> Option<(&'h str, &'h str)> {
        let value = headers.get(self.header)?.trim();
        let digits = value.strip_prefix(self.prefix).unwrap_or(value);
        (!digits.is_empty()).then_some((value, digits))
    }

    /// Whether there is one.
    fn verify(&self, secret: &WebhookSecret, shown: &Shown<'_>) -> Result<bool, NotAuthentic> {
        let Some((value, digits)) = self.of(shown.headers) else {
            return Ok(false);
        };
        if self.or_secret && secret.is(value.as_bytes()) {
            return Ok(true);
        }
        let wrong = NotAuthentic::Signature { header: self.header };
        let tag = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| wrong)?;
        hmac::verify(&secret.key(*self.algorithm), shown.body, &tag).map_err(|_| wrong)?;
        Ok(true)
    }
}

/// Whether the secret is the value of `Authorization`, a bearer token in it, or the password in it.
fn in_authorization(secret: &WebhookSecret, value: &str) -> bool {
    if secret.is(value.as_bytes()) {
        return true;
    }
    let Some((scheme, rest)) = value.split_once(' ') else {
        return false;
    };
    let rest = rest.trim_start();
    if scheme.eq_ignore_ascii_case("bearer") {
        return secret.is(rest.as_bytes());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return false;
    }
    let Some(pair) = BASE64.decode(rest.as_bytes()).ok().map(Zeroizing::new) else {
        return false;
    };
    let password = pair
        .iter()
        .position(|byte| *byte == b':')
        .map(|at| &pair[at + 1..]);
    password.is_some_and(|password| secret.is(password))
}

/// Whether products of this sender can be told what to send as `Authorization`.
fn takes_authorization(sender: Sender) -> bool {
    match sender {
        Sender::Distribution
        | Sender::GitLab
        | Sender::Harbor
        | Sender::Zot
        | Sender::Gitea
        | Sender::Artifactory
        | Sender::Ecr
        | Sender::Acr
        | Sender::CloudEvents => true,
        Sender::Quay | Sender::DockerHub | Sender::Ghcr | Sender::Nexus => false,
    }
}

/// Whether a request is a webhook of GitLab's projects, groups or instance, which says nothing of the registry. Nothing is ever read out of one: its
/// body, which may have 25 MB, can be passed over, and a signature of it, which GitLab makes with a key of its own (from 19.0), says nothing.
#[must_use]
pub fn is_gitlab_webhook(sender: Sender, headers: &dyn Headers) -> bool {
    takes_gitlab_token(sender) && headers.get(GITLAB_EVENT).is_some()
}

/// Whether `X-Gitlab-Token` may come: GitLab's webhooks have it, also those that were pointed at the address for its registry.
fn takes_gitlab_token(sender: Sender) -> bool {
    match sender {
        Sender::GitLab | Sender::Distribution => true,
        Sender::Harbor
        | Sender::Zot
        | Sender::Quay
        | Sender::DockerHub
        | Sender::Ghcr
        | Sender::Gitea
        | Sender::Nexus
        | Sender::Artifactory
        | Sender::Ecr
        | Sender::Acr
        | Sender::CloudEvents => false,
    }
}
