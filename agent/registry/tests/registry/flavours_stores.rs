//! Fingerprints of registries that stand by themselves, and of those in repository managers and clusters.

use portolan_shared::model::{Confidence, Flavour};

use crate::flavours::{AUTHENTICATE, BARE, DISTRIBUTION, Product};

/// HOST stands for the server's own address.
pub(crate) const STORES: &[Product] = &[
    Product {
        name: "Artifactory",
        headers: &[
            DISTRIBUTION,
            ("x-jfrog-version", "Artifactory/7.90.6 79006900"),
            ("x-artifactory-id", "0123"),
            (
                AUTHENTICATE,
                r#"Bearer realm="https://HOST/artifactory/api/docker/docker-local/v2/token",service="HOST""#,
            ),
        ],
        flavour: Flavour::Artifactory,
        confidence: Confidence::High,
        version: Some("7.90.6"),
        sign: "X-JFrog-Version",
        probes: 0,
        ..BARE
    },
    Product {
        name: "Artifactory behind a front that drops its headers",
        headers: &[(
            AUTHENTICATE,
            r#"Bearer realm="https://HOST/artifactory/api/docker/docker-local/v2/token",service="HOST""#,
        )],
        api: Some(("/artifactory/api/system/ping", 200, "OK")),
        flavour: Flavour::Artifactory,
        confidence: Confidence::High,
        sign: "system/ping",
        ..BARE
    },
    Product {
        name: "Nexus",
        headers: &[
            DISTRIBUTION,
            ("server", "Nexus/3.89.0-09 (COMMUNITY)"),
            (AUTHENTICATE, r#"BASIC realm="Sonatype Nexus Repository Manager""#),
        ],
        flavour: Flavour::Nexus,
        confidence: Confidence::High,
        version: Some("3.89.0-09"),
        sign: "Server: Nexus/3.89.0-09",
        probes: 0,
        ..BARE
    },
    Product {
        name: "Nexus with tokens, behind a front",
        headers: &[(
            AUTHENTICATE,
            r#"Bearer realm="https://HOST/v2/token",service="HOST/v2/token""#,
        )],
        api: Some(("/service/rest/v1/status", 200, "")),
        flavour: Flavour::Nexus,
        confidence: Confidence::High,
        sign: "/service/rest/v1/status",
        ..BARE
    },
    Product {
        name: "Zot, open to strangers and yet with a challenge",
        status: 200,
        headers: &[
            DISTRIBUTION,
            (
                AUTHENTICATE,
                "bearer realm=https://HOST/zot/auth,service=zot,scope=\"\"",
            ),
        ],
        flavour: Flavour::Zot,
        confidence: Confidence::Medium,
        sign: "200 and yet with a challenge",
        ..BARE
    },
    Product {
        name: "Zot with Basic, as CNCF Distribution has it",
        headers: &[
            DISTRIBUTION,
            (AUTHENTICATE, r#"Basic realm="Authorization Required""#),
        ],
        api: Some((
            "/v2/_zot/ext/mgmt",
            200,
            r#"{"distSpecVersion":"1.1.1","binaryType":"-search","releaseTag":"v2.1.8"}"#,
        )),
        flavour: Flavour::Zot,
        confidence: Confidence::High,
        version: Some("v2.1.8"),
        sign: "/v2/_zot/ext/mgmt",
        ..BARE
    },
    Product {
        name: "OpenShift",
        headers: &[
            ("x-registry-supports-signatures", "1"),
            (AUTHENTICATE, r#"Bearer realm="https://HOST/openshift/token""#),
        ],
        flavour: Flavour::OpenShift,
        confidence: Confidence::High,
        sign: "/openshift/token",
        probes: 0,
        ..BARE
    },
    Product {
        name: "OpenShift with Basic, its realm without quotes",
        headers: &[
            ("x-registry-supports-signatures", "1"),
            (
                AUTHENTICATE,
                r#"Basic realm=openshift,error="authentication required""#,
            ),
        ],
        flavour: Flavour::OpenShift,
        confidence: Confidence::Medium,
        sign: "the realm openshift",
        ..BARE
    },
    Product {
        name: "Pulp, which shares OpenShift's header",
        headers: &[
            DISTRIBUTION,
            ("x-registry-supports-signatures", "1"),
            ("correlation-id", "0123"),
            (
                AUTHENTICATE,
                r#"Bearer realm="https://HOST/token/",service="HOST""#,
            ),
        ],
        api: Some((
            "/pulp/api/v3/status/",
            200,
            r#"{"versions":[{"component":"container","version":"2.24.0"},{"component":"core","version":"3.75.0"}]}"#,
        )),
        flavour: Flavour::Pulp,
        confidence: Confidence::High,
        version: Some("3.75.0"),
        sign: "/pulp/api/v3/status/",
        ..BARE
    },
    Product {
        name: "Pulp with nothing but the shared header: its API tells",
        headers: &[("x-registry-supports-signatures", "1"), (AUTHENTICATE, "Basic")],
        api: Some(("/pulp/api/v3/status/", 200, r#"{"versions":[]}"#)),
        flavour: Flavour::Pulp,
        confidence: Confidence::High,
        sign: "/pulp/api/v3/status/",
        ..BARE
    },
    Product {
        name: "CNCF Distribution 2",
        status: 200,
        headers: &[DISTRIBUTION, ("content-type", "application/json; charset=utf-8")],
        flavour: Flavour::Distribution,
        sign: "as version 2 writes it",
        ..BARE
    },
    Product {
        name: "CNCF Distribution 3 with somebody's token service",
        headers: &[
            DISTRIBUTION,
            ("content-type", "application/json"),
            (
                AUTHENTICATE,
                r#"Bearer realm="https://auth.example.com/token",service="acme""#,
            ),
        ],
        flavour: Flavour::Distribution,
        sign: "as version 3 writes it",
        ..BARE
    },
    Product {
        name: "something else",
        headers: &[(
            AUTHENTICATE,
            r#"Bearer realm="https://auth.example.com/",service="acme""#,
        )],
        flavour: Flavour::Generic,
        sign: "no sign",
        ..BARE
    },
];
