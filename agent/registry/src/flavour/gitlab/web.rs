//! Where the web host is.

use url::Url;

use crate::api::Greeting;

/// The path of GitLab's token service, below the web host.
const TOKENS: &str = "/jwt/auth";

/// The URL below which GitLab's web interface and REST API are: that of the token service, without the service's own path. `None` if the
/// token service is another, or reached in a way that no login may be sent by. Whether the login may be sent there is decided at every
/// call.
pub(super) fn web_of(greeting: &Greeting) -> Option<Url> {
    let mut web = greeting.bearer()?.realm;
    let is_safe = match web.scheme() {
        "https" => true,
        "http" => greeting.url().scheme() == "http",
        _ => false,
    };
    if !is_safe || !web.username().is_empty() || web.password().is_some() {
        return None;
    }
    let prefix = web.path().trim_end_matches('/').strip_suffix(TOKENS)?.to_owned();
    web.set_path(&prefix);
    web.set_query(None);
    web.set_fragment(None);
    Some(web)
}

/// One component of a path: what stands for a project or group, slashes included.
pub(super) fn component(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_host_is_where_tokens_are_issued_and_no_less_safe() {
        let of = |registry: &str, realm: &str| {
            let challenge = format!(r#"Bearer realm="{realm}",service="container_registry""#);
            web_of(&Greeting::for_test(registry, &challenge)).map(|web| web.to_string())
        };
        let registry = "https://registry.example.com:5050/v2/";
        let some = |url: &str| Some(url.to_owned());
        assert_eq!(
            of(registry, "https://gitlab.example.com/jwt/auth"),
            some("https://gitlab.example.com/")
        );
        assert_eq!(
            of(registry, "https://example.com:8443/git/lab/jwt/auth?x=1#y"),
            some("https://example.com:8443/git/lab")
        );
        assert_eq!(
            of(registry, "/jwt/auth"),
            some("https://registry.example.com:5050/")
        );
        assert_eq!(
            of("http://127.0.0.1:5050/v2/", "http://127.0.0.1:8080/jwt/auth"),
            some("http://127.0.0.1:8080/")
        );
        for elsewhere in [
            "http://gitlab.example.com/jwt/auth",
            "https://user:secret@gitlab.example.com/jwt/auth",
            "https://gitlab.example.com/service/token",
            "https://gitlab.example.com/evil-jwt/auth",
            "ftp://gitlab.example.com/jwt/auth",
            "https://[",
        ] {
            assert_eq!(of(registry, elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn slashes_of_a_project_are_encoded() {
        assert_eq!(component("acme/shop-2_x.y"), "acme%2Fshop-2_x.y");
        assert_eq!(component("a b?#ä"), "a%20b%3F%23%C3%A4");
    }
}
