//! Logging in: credentials and tokens.

use super::entry::Entry;
use crate::model::facts::Flavour;
use crate::model::finding::code::{FindingCode, Severity};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: FindingCode::AuthenticationFailed,
        severity: Severity::Error,
        product: None,
        symptom: "401 for the credential, at the registry or its token service.",
        cause: "The registry or its token service refused the credential.",
        cure: "Check user name and secret, and that the secret has not expired.",
    },
    Entry {
        code: FindingCode::RealmRefused,
        severity: Severity::Error,
        product: None,
        symptom: "The credential is not sent, because the token service is on an unrelated host.",
        cause: "The registry names a token service that the credential must not be sent to.",
        cure: "If the token service is genuine, allow its host in the sensor's policy.toml as a realm of this registry.",
    },
    Entry {
        code: FindingCode::GitLabDeployTokenName,
        severity: Severity::Error,
        product: Some(Flavour::GitLab),
        symptom: "401 'HTTP Basic: Access denied' for a deploy token.",
        cause: "A deploy token has a user name of its own, gitlab+deploy-token-N unless another was chosen; a login of GitLab does not do.",
        cure: "Use the user name that was shown when the deploy token was created.",
    },
    Entry {
        code: FindingCode::GitLabTwoFactor,
        severity: Severity::Error,
        product: Some(Flavour::GitLab),
        symptom: "401 'HTTP Basic: Access denied' for a user's password.",
        cause: "The account has two-factor authentication, or password login for Git is off: a password is not accepted then, even if it is right.",
        cure: "Create a personal access token with read_registry or read_api and use it as the password.",
    },
    Entry {
        code: FindingCode::GitLabScopeMissing,
        severity: Severity::Error,
        product: Some(Flavour::GitLab),
        symptom: "403 'DENIED access forbidden' from /jwt/auth, and the token's scopes name no registry.",
        cause: "The token lacks a scope for the registry: read_repository, for one, is for Git.",
        cure: "Create a token with read_registry (to pull), or read_api (to list and to pull).",
    },
    Entry {
        code: FindingCode::GitLabAuthorizationStripped,
        severity: Severity::Error,
        product: Some(Flavour::GitLab),
        symptom: "403 'DENIED access forbidden' from /jwt/auth, although the token has a scope for the registry.",
        cause: "A proxy in front of GitLab drops the Authorization header of /jwt/auth, or a redirect does.",
        cure: "Let the proxy pass Authorization on, and serve /jwt/auth without a redirect.",
    },
    Entry {
        code: FindingCode::GitLabAccessForbidden,
        severity: Severity::Error,
        product: Some(Flavour::GitLab),
        symptom: "403 'DENIED access forbidden' from /jwt/auth.",
        cause: "Either the token has no scope for the registry, or a proxy strips the Authorization header on its way to /jwt/auth.",
        cure: "Check that the token has read_registry; then check that the proxy passes Authorization on.",
    },
    Entry {
        code: FindingCode::AddressBanned,
        severity: Severity::Error,
        product: Some(Flavour::GitLab),
        symptom: "403 from /jwt/auth that is not the registry's own.",
        cause: "GitLab has banned the sensor's address after too many failed logins.",
        cure: "Correct the credential first, then wait until the ban ends (an hour by default) or have it lifted.",
    },
    Entry {
        code: FindingCode::TokenRefused,
        severity: Severity::Error,
        product: None,
        symptom: "The registry answers invalid_token to a token that was issued a moment ago.",
        cause: "The registry does not accept its token service's signature: clocks that differ by more than a minute, another issuer or key, or a token_realm of another instance.",
        cure: "Compare issuer, key and token_realm of both sides, and synchronise their clocks.",
    },
    Entry {
        code: FindingCode::TokenUnreadable,
        severity: Severity::Error,
        product: None,
        symptom: "The token service answers without a token.",
        cause: "A login page or a proxy answers in the token service's place.",
        cure: "Let the sensor reach the token service directly, without single sign-on in front.",
    },
    Entry {
        code: FindingCode::TokenLifetime,
        severity: Severity::Info,
        product: None,
        symptom: "Tokens end before the tags of one repository are read; clients that do not renew them say 'unauthorized: authentication required' on large pushes, or 'error authorizing context: invalid token' over 1,000 tags and more.",
        cause: "The token service gives short tokens (GitLab: five minutes), or the registry answers slowly. The time is an estimate: the requests that the first page of tags leads to, at the time that one took.",
        cure: "Nothing: they are renewed in time. Only a client that does not renew them needs a longer container_registry_token_expire_delay.",
    },
];
