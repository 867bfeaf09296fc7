//! Fingerprints of what is mostly rented.

use portolan_shared::model::{Confidence, Flavour};

use crate::flavours::{AUTHENTICATE, BARE, DISTRIBUTION, Product};

/// HOST stands for the server's own address.
pub(crate) const HOSTED: &[Product] = &[
    Product {
        name: "Docker Hub",
        headers: &[
            DISTRIBUTION,
            (
                AUTHENTICATE,
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#,
            ),
        ],
        flavour: Flavour::DockerHub,
        confidence: Confidence::High,
        sign: "registry.docker.io",
        probes: 0,
        ..BARE
    },
    Product {
        name: "GitHub",
        headers: &[
            DISTRIBUTION,
            ("x-github-request-id", "1:2:3"),
            (
                AUTHENTICATE,
                r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull""#,
            ),
        ],
        flavour: Flavour::Ghcr,
        confidence: Confidence::High,
        sign: "ghcr.io",
        probes: 0,
        ..BARE
    },
    Product {
        name: "GitHub Enterprise",
        headers: &[
            ("x-github-request-id", "1:2:3"),
            (
                AUTHENTICATE,
                r#"Bearer realm="https://containers.ghe.example.com/token",service="containers.ghe.example.com""#,
            ),
        ],
        flavour: Flavour::Ghcr,
        confidence: Confidence::Medium,
        sign: "X-GitHub-Request-Id",
        probes: 0,
        ..BARE
    },
    Product {
        name: "Quay",
        headers: &[
            DISTRIBUTION,
            ("x-sparse-manifest-support", "0"),
            (
                AUTHENTICATE,
                r#"Bearer realm="https://quay.example.com/v2/auth",service="quay.example.com""#,
            ),
        ],
        flavour: Flavour::Quay,
        confidence: Confidence::High,
        sign: "X-Sparse-Manifest-Support",
        probes: 0,
        ..BARE
    },
    Product {
        name: "older Quay",
        headers: &[(
            AUTHENTICATE,
            r#"Bearer realm="https://quay.example.com/v2/auth",service="quay.example.com""#,
        )],
        api: Some(("/api/v1/discovery", 200, r#"{"swagger":"2.0","paths":{}}"#)),
        flavour: Flavour::Quay,
        confidence: Confidence::High,
        sign: "/api/v1/discovery",
        ..BARE
    },
    Product {
        name: "Amazon",
        headers: &[
            DISTRIBUTION,
            (
                AUTHENTICATE,
                r#"Basic realm="https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/",service="ecr.amazonaws.com""#,
            ),
        ],
        flavour: Flavour::Ecr,
        confidence: Confidence::High,
        sign: "ecr.amazonaws.com",
        probes: 0,
        ..BARE
    },
    Product {
        name: "Amazon, public",
        headers: &[(
            AUTHENTICATE,
            r#"Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws""#,
        )],
        flavour: Flavour::Ecr,
        confidence: Confidence::High,
        sign: "public.ecr.aws",
        probes: 0,
        ..BARE
    },
    Product {
        name: "Azure",
        headers: &[
            DISTRIBUTION,
            (
                AUTHENTICATE,
                r#"Bearer realm="https://acme.azurecr.io/oauth2/token",service="acme.azurecr.io""#,
            ),
        ],
        flavour: Flavour::Acr,
        confidence: Confidence::High,
        sign: "for a host of .azurecr.io",
        probes: 0,
        ..BARE
    },
    Product {
        name: "Google",
        headers: &[(
            AUTHENTICATE,
            r#"Bearer realm="https://europe-docker.pkg.dev/v2/token",service="europe-docker.pkg.dev""#,
        )],
        flavour: Flavour::Google,
        confidence: Confidence::High,
        sign: "-docker.pkg.dev",
        probes: 0,
        ..BARE
    },
    Product {
        name: "DigitalOcean",
        headers: &[(
            AUTHENTICATE,
            r#"Bearer realm="https://api.digitalocean.com/v2/registry/auth",service="registry.digitalocean.com""#,
        )],
        flavour: Flavour::DigitalOcean,
        confidence: Confidence::High,
        sign: "registry.digitalocean.com",
        probes: 0,
        ..BARE
    },
];
