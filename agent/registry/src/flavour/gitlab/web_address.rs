//! The address of GitLab's web interface, given in the registry's place.
//!
//! It answers `/v2/` for its dependency proxy, and well enough to be taken for a registry: with a challenge, with tokens, and with 200.

use ::http::StatusCode;
use portolan_shared::model::{Flavour, RegistryUrl};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::pages::Page;
use super::rest::closed_to;
use crate::api::Greeting;
use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::error::Fault;

/// Projects of a page: the first that has images tells where the registry is.
const PROJECTS: &str = "archived=false&pagination=keyset&order_by=id&sort=asc&per_page=20";
/// Bytes of one answer, after decompression.
const ANSWER_BYTES: usize = 1024 * 1024;
/// Public projects whose images a stranger asks for, to be told where these are.
const LOOKED_INTO: usize = 3;

/// The fault, if a stranger was received as GitLab's web interface receives them. The projects API is asked where the registry is, with the
/// credential if that may ask it, or as a stranger if there is none; nothing else is contacted. Nothing is asked of what merely looks like
/// GitLab: it has said so by the name of its service, or in the words in which its API refuses strangers.
pub(in crate::flavour) async fn web_address(client: &RegistryClient, greeting: &Greeting) -> Option<Fault> {
    let looks = look(greeting);
    let is_confirmed = match looks {
        Looks::Otherwise => return None,
        Looks::Confirmed => true,
        Looks::LikeGitLab | Looks::Perhaps => has_api(client).await,
    };
    if looks == Looks::Perhaps && !is_confirmed {
        return None;
    }
    let registry = if is_confirmed { find(client).await } else { None };
    let candidates = if registry.is_none() {
        candidates(client.url())
    } else {
        Vec::new()
    };
    Some(Fault::WebAddress {
        product: Flavour::GitLab,
        registry,
        candidates,
    })
}

#[derive(PartialEq, Eq)]
enum Looks {
    /// By a challenge that no other product makes.
    Confirmed,
    /// By what anybody could show.
    LikeGitLab,
    Perhaps,
    Otherwise,
}

fn look(greeting: &Greeting) -> Looks {
    if greeting.has("docker-distribution-api-version") {
        return Looks::Otherwise;
    }
    let asked = greeting.bearer();
    let service = asked.as_ref().and_then(|asked| asked.service.as_deref());
    let signs_in = greeting.url().path().ends_with("/users/sign_in");
    if service == Some("dependency_proxy") {
        return Looks::Confirmed;
    }
    if signs_in {
        return Looks::LikeGitLab;
    }
    let is_text = |kind: &str| {
        greeting
            .content_type()
            .is_some_and(|found| found.trim_start().to_ascii_lowercase().starts_with(kind))
    };
    let empty_text = greeting.status().is_success() && greeting.has_empty_body() && is_text("text/plain");
    let page = asked.is_none() && greeting.status() != StatusCode::UNAUTHORIZED && is_text("text/html");
    let of_rails = greeting.sets_cookie("_gitlab_session") || greeting.has("x-gitlab-meta");
    match () {
        () if page && of_rails => Looks::LikeGitLab,
        () if page || empty_text => Looks::Perhaps,
        () => Looks::Otherwise,
    }
}

/// Whether GitLab's REST API answers here: it asks strangers who they are, in words of its own.
async fn has_api(client: &RegistryClient) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let path = format!("{}/api/v4/version", client.url().prefix());
    match client.call(ApiCall::get(&path, ApiLogin::Stranger)).await {
        Ok(reply) if reply.status == StatusCode::UNAUTHORIZED && !reply.elsewhere => {
            let refusal = serde_json::from_slice::<Refusal>(&reply.body);
            refusal.is_ok_and(|refusal| refusal.message.contains("401 Unauthorized"))
        }
        _ => false,
    }
}

/// Where the registry is, as the projects say that can be seen: with a credential those of its owner first, then any; without one the
/// public ones. Over plain HTTP the credential is kept back, unless it does not leave this machine.
async fn find(client: &RegistryClient) -> Option<String> {
    let hint = client.token_hint().await.ok()?;
    let Some(hint) = hint.filter(|_| keeps_secrets(client.url())) else {
        return find_as_stranger(client).await;
    };
    if closed_to(Some(&hint)).is_some() {
        return None;
    }
    for which in ["membership=true&min_access_level=20&", ""] {
        let path = format!("/projects?{which}{PROJECTS}");
        let Page(projects) = read::<Page<Project>>(client, &path, ApiLogin::Secret).await?;
        let found = projects.iter().find_map(Project::registry);
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Whether a secret may be sent to this address for no more than a hint.
fn keeps_secrets(url: &RegistryUrl) -> bool {
    let host = url.host().trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    url.is_https() || is_loopback
}

/// GitLab tells strangers less of a project, but where its images are if it is public and has some.
async fn find_as_stranger(client: &RegistryClient) -> Option<String> {
    let path = format!("/projects?visibility=public&{PROJECTS}");
    let Page(projects) = read::<Page<Project>>(client, &path, ApiLogin::Stranger).await?;
    if let Some(found) = projects.iter().find_map(Project::registry) {
        return Some(found);
    }
    for id in projects.iter().filter_map(|project| project.id).take(LOOKED_INTO) {
        let path = format!("/projects/{id}/registry/repositories?per_page=1");
        // Its images may be for members only.
        let repositories: Option<Page<Repository>> = read(client, &path, ApiLogin::Stranger).await;
        let mut locations = repositories
            .iter()
            .flat_map(|page| &page.0)
            .filter_map(|found| found.location.as_deref());
        let found = locations.find_map(registry_of);
        if found.is_some() {
            return found;
        }
    }
    None
}

#[derive(Deserialize)]
struct Project {
    id: Option<u64>,
    container_registry_image_prefix: Option<String>,
}

impl Project {
    fn registry(&self) -> Option<String> {
        self.container_registry_image_prefix
            .as_deref()
            .and_then(registry_of)
    }
}

#[derive(Deserialize)]
struct Repository {
    location: Option<String>,
}

/// What the REST API answers to `path`; nothing of what is not a good answer of its own.
async fn read<T: DeserializeOwned>(client: &RegistryClient, path: &str, login: ApiLogin<'_>) -> Option<T> {
    let path = format!("{}/api/v4{path}", client.url().prefix());
    let call = ApiCall {
        bound: ANSWER_BYTES,
        ..ApiCall::get(&path, login)
    };
    let reply = client.call(call).await.ok()?;
    if !reply.status.is_success() || reply.elsewhere {
        return None;
    }
    serde_json::from_slice(&reply.body).ok()
}

/// The registry's URL, from what stands in front of a project's images.
fn registry_of(prefix: &str) -> Option<String> {
    let host = prefix.split('/').next().filter(|host| !host.is_empty())?;
    let url: RegistryUrl = format!("https://{host}").parse().ok()?;
    Some(url.to_string())
}

/// Where the registry usually is when the web interface is at `url`.
fn candidates(url: &RegistryUrl) -> Vec<String> {
    let host = url.host();
    let mut candidates = vec![format!("https://{host}:5050")];
    let is_name = !host.starts_with('[') && host.parse::<std::net::IpAddr>().is_err() && host.contains('.');
    if is_name {
        match host.split_once('.') {
            // gitlab.example.com and registry.example.com
            Some((_, parent)) if parent.contains('.') => {
                candidates.push(format!("https://registry.{parent}"));
            }
            _ => {}
        }
        candidates.push(format!("https://registry.{host}"));
    }
    candidates.push(format!("https://{host}:4567"));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_places_are_offered_by_form_of_the_host() {
        let of = |url: &str| candidates(&url.parse().unwrap());
        assert_eq!(
            of("https://gitlab.example.com"),
            [
                "https://gitlab.example.com:5050",
                "https://registry.example.com",
                "https://registry.gitlab.example.com",
                "https://gitlab.example.com:4567",
            ]
        );
        assert_eq!(
            of("https://10.0.0.1:8443"),
            ["https://10.0.0.1:5050", "https://10.0.0.1:4567"]
        );
        assert_eq!(
            of("gitlab"),
            ["https://gitlab:5050", "https://gitlab:4567"],
            "no domain to have a subdomain of"
        );
    }

    #[test]
    fn a_secret_is_not_sent_over_plain_http_for_a_hint() {
        for (url, may) in [
            ("https://gitlab.example.com", true),
            ("http://gitlab.example.com", false),
            ("http://10.0.0.1:8080", false),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
        ] {
            assert_eq!(keeps_secrets(&url.parse().unwrap()), may, "{url}");
        }
    }

    #[test]
    fn the_image_prefix_is_cut_at_its_first_slash() {
        assert_eq!(
            registry_of("registry.example.com:5050/acme/shop").unwrap(),
            "https://registry.example.com:5050"
        );
        assert_eq!(
            registry_of("registry.example.com").unwrap(),
            "https://registry.example.com"
        );
        for bad in ["", "/acme", "user:pw@evil/acme", "a b/c"] {
            assert_eq!(registry_of(bad), None, "{bad}");
        }
    }
}
