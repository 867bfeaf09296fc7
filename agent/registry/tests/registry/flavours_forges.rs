//! Fingerprints of registries that come with a forge, and of Harbor.

use portolan_shared::model::{Confidence, Flavour};

use crate::flavours::{AUTHENTICATE, BARE, DISTRIBUTION, Product};

/// HOST stands for the server's own address.
pub(crate) const FORGES: &[Product] = &[
    Product {
        name: "GitLab, to a stranger",
        headers: &[
            DISTRIBUTION,
            ("content-type", "application/json"),
            (
                AUTHENTICATE,
                r#"Bearer realm="https://gitlab.example.com/jwt/auth",service="container_registry""#,
            ),
        ],
        flavour: Flavour::GitLab,
        confidence: Confidence::Medium,
        sign: "/jwt/auth",
        probes: 0,
        ..BARE
    },
    Product {
        name: "GitLab, open",
        status: 200,
        headers: &[
            DISTRIBUTION,
            ("gitlab-container-registry-version", "4.39.0-gitlab"),
            ("gitlab-container-registry-database-enabled", "true"),
        ],
        flavour: Flavour::GitLab,
        confidence: Confidence::High,
        version: Some("4.39.0-gitlab"),
        sign: "Gitlab-Container-Registry-Version",
        probes: 0,
        ..BARE
    },
    Product {
        name: "GitLab below a path, with another realm",
        headers: &[
            DISTRIBUTION,
            (
                AUTHENTICATE,
                r#"Bearer realm="https://HOST/auth/token",service="container_registry""#,
            ),
        ],
        api: Some(("/gitlab/v1/", 401, "")),
        flavour: Flavour::GitLab,
        confidence: Confidence::High,
        sign: "/gitlab/v1/",
        ..BARE
    },
    Product {
        name: "Gitea, which shares GitLab's service name",
        headers: &[
            DISTRIBUTION,
            (
                AUTHENTICATE,
                r#"Bearer realm="https://HOST/v2/token",service="container_registry",scope="*""#,
            ),
        ],
        api: Some(("/api/v1/version", 200, r#"{"version":"1.24.2"}"#)),
        flavour: Flavour::Gitea,
        confidence: Confidence::High,
        version: Some("1.24.2"),
        sign: "/api/v1/version",
        ..BARE
    },
    Product {
        name: "Forgejo below a path, its API closed",
        headers: &[(
            AUTHENTICATE,
            r#"Bearer realm="https://HOST/git/v2/token",service="container_registry",scope="*""#,
        )],
        flavour: Flavour::Gitea,
        confidence: Confidence::Medium,
        sign: "/v2/token",
        ..BARE
    },
    Product {
        name: "older Gitea: no service, and Basic beside it",
        headers: &[
            (AUTHENTICATE, r#"Bearer realm="https://HOST/v2/token",scope="*""#),
            (AUTHENTICATE, "Basic"),
        ],
        flavour: Flavour::Gitea,
        confidence: Confidence::Medium,
        sign: "without a service",
        ..BARE
    },
    Product {
        name: "Harbor",
        headers: &[
            DISTRIBUTION,
            ("set-cookie", "sid=0123; Path=/; HttpOnly"),
            (
                AUTHENTICATE,
                r#"Bearer realm="https://HOST/service/token",service="harbor-registry""#,
            ),
        ],
        flavour: Flavour::Harbor,
        confidence: Confidence::High,
        sign: "harbor-registry",
        probes: 0,
        ..BARE
    },
    Product {
        name: "Harbor behind a front that offers Basic only",
        headers: &[(AUTHENTICATE, r#"Basic realm="harbor""#)],
        api: Some(("/api/v2.0/ping", 200, "Pong")),
        flavour: Flavour::Harbor,
        confidence: Confidence::High,
        sign: "/api/v2.0/ping",
        ..BARE
    },
];
