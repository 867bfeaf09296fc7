//! Docker's `config.json` and Podman's `auth.json`: which entry, or which helper, is for a registry.

use std::collections::BTreeMap;
use std::path::PathBuf;

use portolan_shared::model::RegistryUrl;
use portolan_shared::secret::Secret;
use serde::Deserialize;

use super::environment::Environment;
use crate::auth::credential::Credential;

/// Names that all mean Docker Hub, and the key it is filed under.
const HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// Bytes of a docker configuration: refused above.
pub(super) const CONFIG_BYTES: u64 = 64 * 1024;
/// Entries of one registry: refused above.
const ENTRIES: usize = 64;

/// Where the file is looked for when no path is given, in the order of the container tools: `$REGISTRY_AUTH_FILE`, then Podman's
/// places, then Docker's.
pub(super) fn usual_places(environment: &Environment) -> Vec<PathBuf> {
    let below = |variable: &str, rest: &str| {
        environment
            .get(variable)
            .map(|folder| PathBuf::from(folder).join(rest))
    };
    if let Some(file) = environment.get("REGISTRY_AUTH_FILE") {
        return vec![file.into()];
    }
    [
        below("XDG_RUNTIME_DIR", "containers/auth.json"),
        below("XDG_CONFIG_HOME", "containers/auth.json")
            .or_else(|| below("HOME", ".config/containers/auth.json")),
        below("DOCKER_CONFIG", "config.json").or_else(|| below("HOME", ".docker/config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// Where the configuration has a login.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Entry(Credential),
    Helper { name: String, server: String },
}

/// One entry for a registry.
#[derive(Debug, PartialEq)]
pub(super) struct Filed {
    /// Its key, as it stands there; the host where only the default helper can know.
    pub(super) key: String,
    /// The repositories that it is for: this one and those below it. All, if empty.
    pub(super) path: String,
    /// Where its login is.
    pub(super) found: Found,
}

impl DockerConfig {
    pub(super) fn read(json: &[u8]) -> Result<Self, &'static str> {
        serde_json::from_slice(json).map_err(|_| "is not a docker configuration in JSON")
    }

    /// The entries for a registry, at most one a path, in order of paths. For each path a helper of its own wins, then an entry that
    /// holds something, then the default helper, which is asked for the registry itself in any case.
    pub(super) fn find(&self, registry: &RegistryUrl) -> Result<Vec<Filed>, &'static str> {
        let mut filed: BTreeMap<String, Filed> = BTreeMap::new();
        for (key, name) in &self.cred_helpers {
            if let Some(path) = path_of(key, registry) {
                let found = Found::Helper {
                    name: name.clone(),
                    server: key.clone(),
                };
                add(&mut filed, key, path, found)?;
            }
        }
        let store = self.creds_store.as_ref().filter(|name| !name.is_empty());
        let ask_store = |server: &str| {
            store.map(|name| Found::Helper {
                name: name.clone(),
                server: server.to_owned(),
            })
        };
        for (key, entry) in &self.auths {
            let Some(path) = path_of(key, registry) else {
                continue;
            };
            if let Some(found) = entry.credential()?.map(Found::Entry).or_else(|| ask_store(key)) {
                add(&mut filed, key, path, found)?;
            }
        }
        if !filed.contains_key("") {
            let key = if HUB.contains(&registry.host()) {
                HUB_KEY.to_owned()
            } else {
                registry.reference_host()
            };
            if let Some(found) = ask_store(&key) {
                add(&mut filed, &key, String::new(), found)?;
            }
        }
        Ok(filed.into_values().collect())
    }
}

/// Files an entry, unless there is one for its path.
fn add(
    filed: &mut BTreeMap<String, Filed>,
    key: &str,
    path: String,
    found: Found,
) -> Result<(), &'static str> {
    if filed.contains_key(&path) {
        return Ok(());
    }
    if filed.len() >= ENTRIES {
        return Err("has more than 64 entries for one registry");
    }
    let key = key.to_owned();
    filed.insert(path.clone(), Filed { key, path, found });
    Ok(())
}

/// The part of the registry that a key is for: all of it, `""`, for `host`, `host:port` or `https://host/v1/`; repositories for
/// `host/path`, as Podman has it (containers-auth.json(5)). `None` if it is for another registry.
fn path_of(key: &str, registry: &RegistryUrl) -> Option<String> {
    let key = key.trim().to_ascii_lowercase();
    let is_host = |host: &str| {
        host == registry.reference_host()
            || host == registry.authority()
            || (HUB.contains(&host) && HUB.contains(&registry.host()))
    };
    let address = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    let (host, path) = match address.unwrap_or(&key).split_once('/') {
        Some((host, path)) => (host, path.trim_end_matches('/')),
        None => (address.unwrap_or(&key), ""),
    };
    if !is_host(host) {
        return None;
    }
    match path {
        "" | "v1" | "v2" => Some(String::new()),
        // An address of Docker's with another path is for no repository.
        path => address.is_none().then(|| path.to_owned()),
    }
}

impl Entry {
    fn credential(&self) -> Result<Option<Credential>, &'static str> {
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        if let Some(token) = given(&self.registrytoken) {
            return Ok(Some(Credential::RegistryToken(Secret::new(token))));
        }
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Some(Credential::IdentityToken(Secret::new(token))));
        }
        if let Some(auth) = given(&self.auth) {
            let (username, secret) =
                decode(&auth).ok_or("has an auth member that is not base64 of username:secret")?;
            return Ok(Some(Credential::Login {
                username,
                secret: Secret::new(secret),
            }));
        }
        Ok(match (given(&self.username), given(&self.password)) {
            (Some(username), Some(password)) => Some(Credential::Login {
                username,
                secret: Secret::new(password),
            }),
            _ => None,
        })
    }
}

/// Base64 with or without padding; split at the first colon; a NUL or a line end behind it does not belong to it.
fn decode(auth: &str) -> Option<(String, String)> {
    let plain = auth.trim().trim_end_matches('=');
    let bytes = data_encoding::BASE64_NOPAD.decode(plain.as_bytes()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, secret) = text.trim_end_matches(['\0', '\n', '\r']).split_once(':')?;
    Some((username.to_owned(), secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filed(json: &str, registry: &str) -> Result<Vec<Filed>, &'static str> {
        DockerConfig::read(json.as_bytes())
            .unwrap()
            .find(&registry.parse().unwrap())
    }

    /// What is found for the registry itself.
    fn find(json: &str, registry: &str) -> Result<Option<Found>, &'static str> {
        let whole = |filed: Vec<Filed>| filed.into_iter().find(|filed| filed.path.is_empty());
        filed(json, registry).map(|filed| whole(filed).map(|filed| filed.found))
    }

    fn login(username: &str, secret: &str) -> Result<Option<Found>, &'static str> {
        Ok(Some(Found::Entry(Credential::Login {
            username: username.into(),
            secret: Secret::new(secret.into()),
        })))
    }

    #[test]
    fn finds_entries_under_every_spelling_of_the_key() {
        // "reader:s3:cret", without padding and with a line end.
        for key in [
            "r.example.com:5050",
            "https://r.example.com:5050",
            "https://R.example.com:5050/v1/",
            "r.example.com:5050/v2",
        ] {
            let json = format!(r#"{{"auths":{{"other":{{}},"{key}":{{"auth":"cmVhZGVyOnMzOmNyZXQK"}}}}}}"#);
            assert_eq!(
                find(&json, "https://r.example.com:5050"),
                login("reader", "s3:cret"),
                "{key}"
            );
        }
        let json = r#"{"auths":{"r.example.com":{"username":"a","password":"b"}}}"#;
        assert_eq!(find(json, "https://r.example.com"), login("a", "b"));
        assert_eq!(find(json, "https://r.example.com:5050"), Ok(None));
        assert_eq!(find(json, "https://x.r.example.com"), Ok(None));
        let hub = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"YTpi"}}}"#;
        assert_eq!(find(hub, "https://registry-1.docker.io"), login("a", "b"));
    }

    #[test]
    fn keys_with_a_path_are_for_repositories() {
        let json = r#"{"auths":{"r.example.com":{"auth":"YTpi"},"r.example.com/team":{"auth":"Yzpk"},"r.example.com/team/a":{},
            "r.example.com/v2":{"auth":"eDp4"},"https://r.example.com/jwt/auth":{"auth":"eDp4"},"x.example.com/team":{"auth":"eDp4"}},
            "credHelpers":{"r.example.com/aws/":"ecr-login"}}"#;
        let found = filed(json, "https://r.example.com").unwrap();
        let paths: Vec<_> = found
            .iter()
            .map(|filed| (filed.path.as_str(), filed.key.as_str()))
            .collect();
        assert_eq!(
            paths,
            [
                ("", "r.example.com"),
                ("aws", "r.example.com/aws/"),
                ("team", "r.example.com/team")
            ]
        );
        assert_eq!(filed(json, "https://r.example.com:5050"), Ok(Vec::new()));
        let many = |count| {
            let keys: Vec<_> = (0..count)
                .map(|n| format!(r#""r/p{n}":{{"auth":"YTpi"}}"#))
                .collect();
            filed(&format!(r#"{{"auths":{{{}}}}}"#, keys.join(",")), "r").map(|filed| filed.len())
        };
        assert_eq!(many(ENTRIES), Ok(ENTRIES));
        assert!(many(ENTRIES + 1).is_err());
    }

    #[test]
    fn knows_tokens_and_helpers() {
        let json = r#"{"auths":{"r":{"identitytoken":"t"},"s":{"registrytoken":"t","auth":"YTpi"},"e":{}},
            "credHelpers":{"h":"ecr-login"},"credsStore":"pass","extra":1}"#;
        let secret = || Secret::new("t".into());
        assert_eq!(
            find(json, "r"),
            Ok(Some(Found::Entry(Credential::IdentityToken(secret()))))
        );
        assert_eq!(
            find(json, "s"),
            Ok(Some(Found::Entry(Credential::RegistryToken(secret()))))
        );
        let helper = |name: &str, server: &str| {
            Ok(Some(Found::Helper {
                name: name.into(),
                server: server.into(),
            }))
        };
        assert_eq!(find(json, "h"), helper("ecr-login", "h"));
        assert_eq!(
            find(json, "e"),
            helper("pass", "e"),
            "an empty entry only says that the helper holds it"
        );
        assert_eq!(find(json, "docker.io"), helper("pass", HUB_KEY));
        assert!(find(r#"{"auths":{"r":{"auth":"%%"}}}"#, "r").is_err());
        assert!(DockerConfig::read(b"[]").is_err());
    }

    #[test]
    fn looks_in_the_usual_places() {
        let environment = Environment::new([
            ("HOME".to_owned(), "/h".to_owned()),
            ("XDG_RUNTIME_DIR".to_owned(), "/run/u".to_owned()),
            ("DOCKER_CONFIG".to_owned(), String::new()),
        ]);
        let places: Vec<_> = usual_places(&environment)
            .iter()
            .map(|p| p.display().to_string())
            .collect();
        assert_eq!(
            places,
            [
                "/run/u/containers/auth.json",
                "/h/.config/containers/auth.json",
                "/h/.docker/config.json"
            ]
        );
        assert!(usual_places(&Environment::default()).is_empty());
    }

    proptest! {
        #[test]
        fn no_input_panics(text in "\\PC{0,60}") {
            let _ = DockerConfig::read(text.as_bytes());
            let _ = decode(&text);
        }
    }
}
