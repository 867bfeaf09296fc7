//! The sensor itself: its policy and its credential.

use super::entry::Entry;
use crate::model::facts::Flavour;
use crate::model::finding::code::{FindingCode, Severity};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: FindingCode::PolicyRefused,
        severity: Severity::Error,
        product: None,
        symptom: "The sensor refuses a request before anything is sent.",
        cause: "The sensor's local policy does not allow this request.",
        cure: "Ask the administrator of the sensor's machine to allow the host in policy.toml.",
    },
    Entry {
        code: FindingCode::AddressRefused,
        severity: Severity::Error,
        product: None,
        symptom: "The sensor refuses to connect although the host is allowed.",
        cause: "The host resolves to an address that is never contacted (link-local, cloud metadata, or loopback without permission).",
        cure: "Check the name's DNS records; allow loopback only by writing the address literally in policy.toml.",
    },
    Entry {
        code: FindingCode::PolicyMissing,
        severity: Severity::Warning,
        product: None,
        symptom: "Nothing is allowed on this machine yet.",
        cause: "There is no policy.toml, or it is empty: a sensor would refuse every registry.",
        cure: "Enrol with `portolan-agent enroll TOKEN --allow HOST[:PORT]`, or write the host into policy.toml.",
    },
    Entry {
        code: FindingCode::CredentialUnavailable,
        severity: Severity::Error,
        product: None,
        symptom: "The sensor cannot read the credential it was told to use.",
        cause: "The credential reference could not be resolved on the sensor.",
        cure: "Check that the file, variable or credential helper exists on the sensor and is readable by its user.",
    },
    Entry {
        code: FindingCode::CredentialNeeded,
        severity: Severity::Error,
        product: None,
        symptom: "The registry shows nothing to strangers.",
        cause: "No credential is given for this registry, and what is asked for is not open to everybody.",
        cure: "Give the registry a credential with --credential-ref; the product's page says which is the least that is enough.",
    },
    Entry {
        code: FindingCode::CredentialExpiresSoon,
        severity: Severity::Warning,
        product: None,
        symptom: "The credential still works, for a few days.",
        cause: "The credential has an end, and it is near.",
        cure: "Issue a new one now and put it in its place; nothing needs to be restarted.",
    },
    Entry {
        code: FindingCode::CredentialExpired,
        severity: Severity::Error,
        product: None,
        symptom: "401, and the product says that the token has expired.",
        cause: "The credential has expired.",
        cure: "Issue a new one, with an end that somebody is reminded of.",
    },
    Entry {
        code: FindingCode::CredentialRevoked,
        severity: Severity::Error,
        product: None,
        symptom: "401, and the product says that the token was revoked.",
        cause: "Somebody revoked the credential.",
        cure: "Issue a new one, and find out why the old one was revoked.",
    },
    Entry {
        code: FindingCode::CredentialUnfit,
        severity: Severity::Error,
        product: Some(Flavour::GitLab),
        symptom: "The secret is a token of a kind that reads no registry.",
        cause: "A runner, feed, trigger, agent or similar token was given instead of an access token or a deploy token.",
        cure: "Create a deploy token with read_registry, or an access token with read_api.",
    },
    Entry {
        code: FindingCode::CredentialOfJob,
        severity: Severity::Error,
        product: Some(Flavour::GitLab),
        symptom: "The secret is the token of a CI job.",
        cause: "A CI job token ends with its job, so nothing that runs on can use it.",
        cure: "Create a deploy token with read_registry, or an access token with read_api.",
    },
    Entry {
        code: FindingCode::CredentialNameUnusual,
        severity: Severity::Warning,
        product: Some(Flavour::GitLab),
        symptom: "The user name is not the one that this kind of token usually has.",
        cause: "A project or group token belongs to a bot user (project_1_bot_..., group_1_bot_...), a deploy token has a name of its own.",
        cure: "Give the user name that was shown when the token was created.",
    },
    Entry {
        code: FindingCode::Internal,
        severity: Severity::Error,
        product: None,
        symptom: "The sensor stops working on something for a reason of its own.",
        cause: "The sensor could not go on for a reason of its own.",
        cure: "Look at the sensor's log around this time.",
    },
];
