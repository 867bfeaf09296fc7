//! What in the answer of the API's root speaks for which product.

use ::http::HeaderMap;
use portolan_shared::model::{Confidence, Flavour};
use url::Url;

use crate::api::{Asked, Greeting};

/// One sign of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sign {
    pub(super) flavour: Flavour,
    /// How much it says on its own.
    pub(super) weight: Confidence,
    pub(super) text: String,
    pub(super) version: Option<String>,
}

impl Sign {
    pub(super) fn new(flavour: Flavour, weight: Confidence, text: impl Into<String>) -> Self {
        Self {
            flavour,
            weight,
            text: text.into(),
            version: None,
        }
    }

    pub(super) fn of_version(self, version: impl Into<String>) -> Self {
        Self {
            version: Some(version.into()).filter(|version| is_version(version)),
            ..self
        }
    }
}

/// Whether a text is written as versions are. Nothing else that a server writes is repeated as evidence, which everybody reads.
fn is_version(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-'))
}

/// A strong sign, with its version if it is one.
fn versioned(flavour: Flavour, text: &str, separator: &str, version: &str) -> Sign {
    if is_version(version) {
        strong(flavour, format!("{text}{separator}{version}")).of_version(version)
    } else {
        strong(flavour, text)
    }
}

/// Every sign in the answer to a stranger. One that came from elsewhere says nothing of this registry.
pub(super) fn of_greeting(greeting: &Greeting) -> Vec<Sign> {
    if greeting.is_from_elsewhere() {
        return Vec::new();
    }
    let mut signs = of_headers(greeting.headers());
    if let Some(asked) = greeting.bearer() {
        signs.extend(of_bearer(greeting, &asked));
    }
    signs.extend(of_basic(greeting));
    if greeting.sets_cookie("sid") {
        signs.push(weak(Flavour::Harbor, "sets the cookie sid"));
    }
    if greeting.status().is_success() && !greeting.challenge().is_empty() {
        signs.push(fair(Flavour::Zot, "answers 200 and yet with a challenge"));
    }
    if greeting.content_type().is_some_and(|kind| {
        kind.replace(' ', "")
            .eq_ignore_ascii_case("application/json;charset=iso-8859-1")
    }) {
        signs.push(weak(Flavour::Artifactory, "answers JSON in ISO-8859-1"));
    }
    if greeting.has("docker-distribution-api-version") {
        // Nearly everybody sends this; it counts where nothing else does.
        let form = match greeting.content_type() {
            Some(kind) if kind.to_ascii_lowercase().contains("charset=utf-8") => {
                ", and a content type as version 2 writes it"
            }
            Some(kind) if kind == "application/json" => ", and a content type as version 3 writes it",
            _ => "",
        };
        let text = format!("Docker-Distribution-Api-Version{form}");
        signs.push(weak(Flavour::Distribution, text));
    }
    signs
}

/// Headers that products put on whatever they answer, also once the login is in.
pub(super) fn of_headers(headers: &HeaderMap) -> Vec<Sign> {
    let text = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(portolan_shared::model::printable(value, 128))
    };
    let mut signs = Vec::new();
    if let Some(version) = text("gitlab-container-registry-version") {
        signs.push(versioned(
            Flavour::GitLab,
            "Gitlab-Container-Registry-Version",
            ": ",
            &version,
        ));
        match text("gitlab-container-registry-database-enabled").as_deref() {
            Some("true") => signs.push(strong(Flavour::GitLab, "metadata database: true")),
            Some("false") => signs.push(strong(Flavour::GitLab, "metadata database: false")),
            _ => {}
        }
    }
    if let Some(version) = text("x-jfrog-version") {
        let number = version.split('/').nth(1).unwrap_or_default();
        let number = number.split_whitespace().next().unwrap_or_default();
        signs.push(versioned(Flavour::Artifactory, "X-JFrog-Version", ": ", number));
    }
    if headers.contains_key("x-artifactory-id") || headers.contains_key("x-artifactory-node-id") {
        signs.push(strong(Flavour::Artifactory, "X-Artifactory-Id"));
    }
    if let Some(server) = text("server")
        && let Some(rest) = server.strip_prefix("Nexus/")
    {
        let number = rest.split_whitespace().next().unwrap_or_default();
        signs.push(versioned(Flavour::Nexus, "Server: Nexus", "/", number));
    }
    if headers.contains_key("docker-ratelimit-source") {
        signs.push(strong(Flavour::DockerHub, "Docker-RateLimit-Source"));
    }
    if headers.contains_key("x-sparse-manifest-support") {
        signs.push(strong(Flavour::Quay, "X-Sparse-Manifest-Support"));
    }
    if headers.contains_key("x-github-request-id") {
        signs.push(fair(Flavour::Ghcr, "X-GitHub-Request-Id"));
    }
    if headers.contains_key("x-ms-correlation-request-id") {
        signs.push(fair(Flavour::Acr, "X-Ms-Correlation-Request-Id"));
    }
    let correlated = headers.contains_key("correlation-id");
    if text("x-registry-supports-signatures").as_deref() == Some("1") {
        // Two products send it.
        let text = "X-Registry-Supports-Signatures: 1";
        if correlated {
            signs.push(fair(Flavour::Pulp, format!("{text}, and Correlation-ID")));
        } else {
            signs.push(weak(Flavour::OpenShift, text));
            signs.push(weak(Flavour::Pulp, text));
        }
    }
    signs
}

fn of_bearer(greeting: &Greeting, asked: &Asked) -> Vec<Sign> {
    let path = asked.realm.path().trim_end_matches('/');
    let service = asked.service.as_deref();
    let host = asked.realm.host_str().unwrap_or_default();
    let names_host = service.is_some_and(|service| is_host(service, &asked.realm));
    let mut signs = Vec::new();
    let realm = |what: &str| format!("a token service at {what}");
    match (path, service) {
        // Gitea has the same service name, GitLab the path.
        (path, Some("container_registry")) if path.ends_with("/jwt/auth") => signs.push(fair(
            Flavour::GitLab,
            "a token service at /jwt/auth for the service container_registry",
        )),
        (path, _) if path.ends_with("/jwt/auth") => signs.push(weak(Flavour::GitLab, realm("/jwt/auth"))),
        (path, Some("container_registry")) if path.ends_with("/v2/token") => signs.push(fair(
            Flavour::Gitea,
            "a token service at /v2/token for the service container_registry",
        )),
        (path, Some("container_registry")) if path.ends_with("/auth/token") => signs.push(weak(
            Flavour::GitLab,
            "a token service at /auth/token for the service container_registry",
        )),
        (_, Some("container_registry")) => {
            const ELSEWHERE: &str = "the service container_registry at a path of neither product";
            signs.push(weak(Flavour::GitLab, ELSEWHERE));
            signs.push(weak(Flavour::Gitea, ELSEWHERE));
        }
        (_, Some("harbor-registry")) => {
            signs.push(strong(Flavour::Harbor, "the service harbor-registry"));
        }
        (path, _) if path.ends_with("/service/token") => {
            signs.push(fair(Flavour::Harbor, realm("/service/token")));
        }
        (_, Some("registry.docker.io")) => {
            signs.push(strong(Flavour::DockerHub, "the service registry.docker.io"));
        }
        (_, Some("ghcr.io")) => signs.push(strong(Flavour::Ghcr, "the service ghcr.io")),
        (_, Some("registry.digitalocean.com")) => {
            signs.push(strong(
                Flavour::DigitalOcean,
                "the service registry.digitalocean.com",
            ));
        }
        (_, Some("public.ecr.aws")) => signs.push(strong(Flavour::Ecr, "the service public.ecr.aws")),
        (path, _) if path.ends_with("/openshift/token") => {
            signs.push(strong(Flavour::OpenShift, realm("/openshift/token")));
        }
        (path, _) if path.contains("/api/docker/") && path.ends_with("/v2/token") => {
            signs.push(fair(Flavour::Artifactory, realm("/api/docker/KEY/v2/token")));
        }
        (path, _) if path.ends_with("/v2/auth") => signs.push(fair(Flavour::Quay, realm("/v2/auth"))),
        (path, Some(service)) if path.ends_with("/oauth2/token") => signs.push(
            if let Some(domain) = [".azurecr.io", ".azurecr.cn", ".azurecr.us"]
                .iter()
                .find(|domain| service.ends_with(**domain))
            {
                strong(
                    Flavour::Acr,
                    format!("a token service at /oauth2/token for a host of {domain}"),
                )
            } else {
                let weight = if names_host {
                    Confidence::Medium
                } else {
                    Confidence::Low
                };
                Sign::new(Flavour::Acr, weight, realm("/oauth2/token"))
            },
        ),
        (path, Some(service)) if path.ends_with("/v2/token") && names_host => {
            if service == "gcr.io" || service.ends_with(".gcr.io") || service.ends_with("-docker.pkg.dev") {
                signs.push(strong(
                    Flavour::Google,
                    "a token service at /v2/token for a host of gcr.io or -docker.pkg.dev",
                ));
            } else {
                signs.push(weak(
                    Flavour::Google,
                    "a token service at /v2/token for its own host",
                ));
                signs.push(weak(Flavour::Nexus, realm("/v2/token")));
            }
        }
        (path, None) if path.ends_with("/v2/token") => {
            let text = if asked.also_basic {
                "a token service at /v2/token without a service, or Basic"
            } else {
                "a token service at /v2/token without a service"
            };
            let weight = if asked.also_basic {
                Confidence::Medium
            } else {
                Confidence::Low
            };
            signs.push(Sign::new(Flavour::Gitea, weight, text));
        }
        (path, _) if path.ends_with("/v2/token") => signs.push(weak(Flavour::Nexus, realm("/v2/token"))),
        (path, _) if path.ends_with("/token") && names_host && asked.realm.path().ends_with('/') => {
            signs.push(weak(Flavour::Pulp, "a token service at /token/ for its own host"));
        }
        _ => {}
    }
    if host == "auth.docker.io" && service != Some("registry.docker.io") {
        signs.push(weak(Flavour::DockerHub, "a token service at auth.docker.io"));
    }
    if asked.scope.as_deref() == Some("*") {
        signs.push(weak(Flavour::Gitea, "the scope *"));
    }
    if greeting.challenge().starts_with("bearer ") {
        signs.push(weak(
            Flavour::Zot,
            "the challenge begins with bearer in lower case",
        ));
    }
    signs
}

fn of_basic(greeting: &Greeting) -> Vec<Sign> {
    let Some(realm) = greeting.basic("realm") else {
        return Vec::new();
    };
    let mut signs = Vec::new();
    if greeting.basic("service").as_deref() == Some("ecr.amazonaws.com") {
        signs.push(strong(Flavour::Ecr, "the service ecr.amazonaws.com"));
    }
    match realm.as_str() {
        "Sonatype Nexus Repository Manager" => {
            signs.push(strong(
                Flavour::Nexus,
                "the realm Sonatype Nexus Repository Manager",
            ));
        }
        "Artifactory Realm" => signs.push(strong(Flavour::Artifactory, "the realm Artifactory Realm")),
        "harbor" => signs.push(fair(Flavour::Harbor, "the realm harbor")),
        "openshift" => signs.push(fair(Flavour::OpenShift, "the realm openshift")),
        _ => {}
    }
    if greeting.challenge().contains("realm=openshift") {
        signs.push(weak(Flavour::OpenShift, "the realm is written without quotes"));
    }
    signs
}

/// Whether `service` is the host that `realm` is on, with or without its port.
fn is_host(service: &str, realm: &Url) -> bool {
    let host = realm.host_str().unwrap_or_default();
    service == host
        || service
            .strip_prefix(host)
            .and_then(|rest| rest.strip_prefix(':'))
            .is_some_and(|port| port.parse::<u16>().is_ok())
}

fn strong(flavour: Flavour, text: impl Into<String>) -> Sign {
    Sign::new(flavour, Confidence::High, text)
}

fn fair(flavour: Flavour, text: impl Into<String>) -> Sign {
    Sign::new(flavour, Confidence::Medium, text)
}

fn weak(flavour: Flavour, text: impl Into<String>) -> Sign {
    Sign::new(flavour, Confidence::Low, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What servers write is read by everybody who may see a registry: nothing of it is repeated but versions and fixed words.
    #[test]
    fn nothing_that_a_server_writes_is_repeated_unless_it_is_a_version() {
        const SECRET: &str = "glpat-aaaaaaaaaaaaaaaaaaaa_secret/x";
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: String| headers.insert(name, value.parse().unwrap());
        set("gitlab-container-registry-version", SECRET.into());
        set("gitlab-container-registry-database-enabled", SECRET.into());
        set("x-jfrog-version", format!("Artifactory/{SECRET} 1"));
        set("server", format!("Nexus/{SECRET}"));
        set("x-artifactory-id", SECRET.into());
        let mut signs = of_headers(&headers);
        assert_eq!(signs.len(), 4);
        for realm in ["/jwt/auth", "/v2/token", "/oauth2/token", "/other", "/v2/auth"] {
            for service in [
                "container_registry",
                "secret.azurecr.io",
                "secret-docker.pkg.dev",
                "secret",
            ] {
                let challenge =
                    format!(r#"Bearer realm="https://{service}/secret{realm}",service="{service}""#);
                signs.extend(of_greeting(&Greeting::for_test(
                    "https://r.example.com/v2/",
                    &challenge,
                )));
            }
        }
        for sign in &signs {
            assert!(!sign.text.contains("secret"), "{}", sign.text);
            assert_eq!(sign.version, None);
        }
    }

    #[test]
    fn versions_are_told_where_they_are_versions() {
        for (name, value, text, version) in [
            (
                "gitlab-container-registry-version",
                "v4.14.0-gitlab",
                "Gitlab-Container-Registry-Version: v4.14.0-gitlab",
                "v4.14.0-gitlab",
            ),
            (
                "x-jfrog-version",
                "Artifactory/7.77.5 77705900",
                "X-JFrog-Version: 7.77.5",
                "7.77.5",
            ),
            (
                "server",
                "Nexus/3.89.0-09 (PRO)",
                "Server: Nexus/3.89.0-09",
                "3.89.0-09",
            ),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            let signs = of_headers(&headers);
            assert_eq!(
                (signs[0].text.as_str(), signs[0].version.as_deref()),
                (text, Some(version))
            );
        }
        assert!(is_version(&"1".repeat(32)) && !is_version(&"1".repeat(33)) && !is_version(""));
    }
}
