//! What guides to GitLab's registry name as pitfalls and troubles: each is a finding that is provoked by a test, or it is said why not.

use std::collections::BTreeSet;

use portolan_shared::model::FindingCode as Code;

use crate::catalogue::{of_the_control_plane, provoked};

/// What people see or do, and the findings that say so. In the words of the guides: this is what is searched for.
pub(crate) const ROWS: &[(&str, &[Code])] = &[
    (
        "The web address of GitLab is given in place of the registry's: 404 on `/v2/`, 401 with `service=\"dependency_proxy\"`, or the sign-in page",
        &[Code::GitLabWebAddress, Code::ApiMissing, Code::WebPage],
    ),
    (
        "`connection refused`: the port is missing, such as `:5050`",
        &[Code::PortClosed],
    ),
    (
        "`Client sent an HTTP request to an HTTPS server`, `plain HTTP request was sent to HTTPS port`",
        &[Code::TlsExpected],
    ),
    (
        "`server gave HTTP response to HTTPS client`",
        &[Code::TlsPlainHttp],
    ),
    (
        "`x509: certificate signed by unknown authority`: self-signed certificate or private authority",
        &[
            Code::TlsSelfSigned,
            Code::TlsPrivateCa,
            Code::TlsChainIncomplete,
            Code::TlsIntercepted,
        ],
    ),
    (
        "`x509: certificate is valid for ..., not ...`, `certificate has expired or is not yet valid`",
        &[Code::TlsWrongName, Code::TlsExpired, Code::TlsNotYetValid],
    ),
    (
        "401 `HTTP Basic: Access denied`: wrong, expired or revoked secret",
        &[
            Code::AuthenticationFailed,
            Code::CredentialExpired,
            Code::CredentialRevoked,
        ],
    ),
    (
        "401 with a deploy token and somebody's own user name",
        &[Code::GitLabDeployTokenName],
    ),
    (
        "401 with the right password, two-factor authentication on",
        &[Code::GitLabTwoFactor],
    ),
    ("A CI job token outside of its job", &[Code::CredentialOfJob]),
    (
        "`Insufficient scope`: the token has `read_repository` and not `read_registry`",
        &[Code::GitLabScopeMissing, Code::GitLabAccessForbidden],
    ),
    (
        "`denied: access forbidden`: a proxy takes `Authorization` out on the way to `/jwt/auth`",
        &[Code::GitLabAuthorizationStripped, Code::GitLabAccessForbidden],
    ),
    (
        "403 `access forbidden` without any login, for what is not public",
        &[Code::CredentialNeeded],
    ),
    (
        "403 that is not GitLab's own, after several failed logins",
        &[Code::AddressBanned],
    ),
    ("404 `registry not enabled`", &[Code::GitLabRegistryDisabled]),
    (
        "A token is issued, then 401 `insufficient_scope`; `I created a project, but it never appeared`",
        &[Code::GitLabProjectNotVisible, Code::GitLabProjectRegistryOff],
    ),
    (
        "The catalog is refused to everybody but administrators",
        &[Code::CatalogDenied],
    ),
    (
        "A deploy token is to find repositories",
        &[Code::NamesNeeded, Code::NativeApiNotAsked],
    ),
    (
        "A token with `read_registry` alone is to find repositories",
        &[Code::NativeApiRefused, Code::ViewIsPartial],
    ),
    (
        "401 `invalid_token` right after a token was issued",
        &[Code::TokenRefused, Code::ClockSkew],
    ),
    (
        "`unauthorized: authentication required` on large pushes, `error authorizing context: invalid token` over 1,000 tags and more",
        &[Code::TokenLifetime],
    ),
    (
        "`OCI manifest found, but accept header does not support OCI manifests`",
        &[Code::AcceptStripped],
    ),
    ("`Link` with `http://` or another host", &[Code::ForwardedHeaders]),
    ("429, `Retry later`", &[Code::RateLimited]),
    (
        "Blobs are redirected to object storage that cannot be reached",
        &[Code::StorageUnreachable, Code::RedirectRefused],
    ),
    (
        "`404 Not Found` or `Unknown Manifest` with a Docker Engine older than 17.12",
        &[Code::ManifestSchema1],
    ),
    (
        "`manifest blob unknown: blob unknown to registry`",
        &[Code::ManifestChildMissing],
    ),
    (
        "`Docker connection error`: a group's or project's path with a leading underscore or a trailing hyphen",
        &[Code::GitLabPathUnsupported],
    ),
    (
        "`Project cannot be transferred, because tags are present in its container registry.`, `Namespace cannot be moved because at least one project has tags in container registry.`; a project under its old path",
        &[Code::RepositoryMoved],
    ),
    (
        "`lookup docker on ... no such host`: the service has no alias in this network",
        &[Code::NameSingleLabel],
    ),
    (
        "The cleanup policy deletes no tags",
        &[Code::GitLabCleanupMatchesNothing, Code::TokenLifetime],
    ),
    (
        "`Something went wrong while updating the cleanup policy.`",
        &[Code::GitLabCleanupInvalid],
    ),
    (
        "A push event arrives and nothing is read: the schedule is still a daily one",
        &[Code::EventsUnused],
    ),
];

#[test]
fn what_guides_name_is_provoked() {
    let provoked = provoked();
    for (row, codes) in ROWS {
        assert!(!codes.is_empty(), "{row}");
        for code in *codes {
            assert!(
                provoked.contains(code) || of_the_control_plane(*code),
                "{row}: {code}"
            );
        }
    }
    let rows: BTreeSet<&str> = ROWS.iter().map(|(row, _)| *row).collect();
    assert_eq!(rows.len(), ROWS.len(), "each once");
}
