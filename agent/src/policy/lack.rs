//! What keeps an entry from being a registry's although it has the host, and what can be done about it.

use portolan_shared::model::{RegistryUrl, printable};

use super::decide::{Policy, Rule};
use super::path::{PathPattern, default_paths};

/// Bytes of a path in a refusal: the rest is cut off, and it is not offered to be written into the policy.
const PATH_SHOWN: usize = 128;

/// What an entry lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    Port,
    Plaintext,
    Path,
}

impl Lack {
    /// In words, for the tenant.
    pub(super) fn of(self, registry: &RegistryUrl) -> String {
        let place = registry.authority();
        let path = registry.prefix();
        match self {
            Self::Port => format!("{place}: the entry allows other ports of this host only"),
            Self::Plaintext => format!("{place}: the entry allows https only"),
            Self::Path if path.is_empty() => {
                format!("{place}: the entry's paths lack \"/\": it allows paths of this host only")
            }
            Self::Path => {
                let lacks = format!("{place}: the entry's paths lack {}", printable(path, PATH_SHOWN));
                let can_add = "this machine's administrator can add it to policy.toml";
                let is_meant = "where no product has its registry by itself: does it belong in the URL?";
                match (is_usual(path), is_writable(path)) {
                    (true, _) => format!("{lacks}: {can_add}"),
                    (false, true) => format!("{lacks}, {is_meant} If so, {can_add}"),
                    (false, false) => format!("{lacks}, {is_meant}"),
                }
            }
        }
    }
}

/// Whether a product has its registry there unless somebody configured it otherwise.
fn is_usual(path: &str) -> bool {
    default_paths().iter().any(|usual| usual.matches(path))
}

/// Whether it can be written into a policy as it is shown, and then means itself to every server.
fn is_writable(path: &str) -> bool {
    let is_itself = |read: PathPattern| read == PathPattern::Exact(path.to_owned());
    path.len() <= PATH_SHOWN && PathPattern::is_plain_path(path) && path.parse().is_ok_and(is_itself)
}

impl Policy {
    /// What can be done about a registry whose path its entry lacks, in lines for people: how to tell whether the path belongs in its URL, and what would
    /// allow it. None for a registry that is allowed, or refused for something else.
    #[must_use]
    pub fn advice(&self, registry: &RegistryUrl) -> Vec<String> {
        match self.rule_or_lack(registry) {
            Err(Some((rule, Lack::Path))) => rule.advice(registry),
            Err(_) | Ok(_) => Vec::new(),
        }
    }
}

impl Rule {
    /// What keeps it from holding for a registry on one of its hosts, if anything does.
    pub(super) fn lacks(&self, registry: &RegistryUrl) -> Option<Lack> {
        if !self.ports.contains(&registry.port()) {
            Some(Lack::Port)
        } else if !registry.is_https() && !self.plaintext {
            Some(Lack::Plaintext)
        } else if !self.paths.iter().any(|path| path.matches(registry.prefix())) {
            Some(Lack::Path)
        } else {
            None
        }
    }

    fn advice(&self, registry: &RegistryUrl) -> Vec<String> {
        let path = registry.prefix();
        let shown = if path.is_empty() { "/" } else { path };
        let mut lines = Vec::new();
        if !path.is_empty() && !is_usual(path) {
            let scheme = if registry.is_https() { "https" } else { "http" };
            lines.push(format!(
                "If {} is where pages are, leave it out of the registry's URL: {scheme}://{}. GitLab's registry has a host or a port of its own.",
                printable(path, PATH_SHOWN),
                registry.reference_host()
            ));
        }
        if path.is_empty() || is_writable(path) {
            if self.names_paths() {
                // What else is written there is nobody's but this machine's: this may leave it.
                lines.push(format!(
                    "If the registry answers at {path}/v2/, add {shown:?} to the `paths` of {} in policy.toml.",
                    self.id
                ));
            } else {
                let paths: Vec<String> = self.paths.iter().map(|path| format!("\"{path}\"")).collect();
                lines.push(format!(
                    "If the registry answers at {path}/v2/, give {} in policy.toml this line. It repeats the usual paths, which no longer hold beside it \
                     unless they are written:",
                    self.id
                ));
                lines.push(format!("paths = [{}, {shown:?}]", paths.join(", ")));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use portolan_shared::model::limits;

    use super::super::file::parse;
    use super::*;

    fn policy(entry: &str) -> Policy {
        parse(&format!(
            "version = 1\n[[allow]]\nhost = \"gitlab.example.com\"\n{entry}"
        ))
        .unwrap()
    }

    fn url(path: &str) -> RegistryUrl {
        format!("https://gitlab.example.com{path}").parse().unwrap()
    }

    #[test]
    fn a_web_pages_path_is_asked_after_and_the_whole_line_is_given_that_would_allow_it() {
        let as_enrolled = policy("");
        for path in ["/gitlab", "/harbor/projects", "/acme/shop/container_registry"] {
            let refused = as_enrolled.allows_registry(&url(path)).unwrap_err();
            assert!(
                refused.why.contains("does it belong in the URL?")
                    && refused.why.ends_with("can add it to policy.toml"),
                "{refused}"
            );
            assert!(
                refused.to_string().len() <= limits::FINDING_BYTES,
                "nothing is cut off: {refused}"
            );
            let advice = as_enrolled.advice(&url(path));
            let asked = format!(
                "If {path} is where pages are, leave it out of the registry's URL: https://gitlab.example.com. "
            );
            assert!(advice[0].starts_with(&asked), "{advice:?}");
            let line = advice.last().unwrap();
            let mended = policy(line);
            assert!(mended.allows_registry(&url(path)).is_ok(), "{line}");
            for usual in [
                "",
                "/artifactory/api/docker/cloud",
                "/repository/hosted",
                "/nexus",
            ] {
                assert!(
                    mended.allows_registry(&url(usual)).is_ok(),
                    "{usual} is kept by {line}"
                );
            }
        }
    }

    #[test]
    fn an_entry_that_names_paths_is_told_what_to_add_and_tells_nobody_the_others() {
        let narrow = policy("paths = [\"/inner/secret\"]\n");
        for (path, add) in [
            ("/registry", "add \"/registry\" to the `paths` of policy:allow[1]"),
            ("/repository/hosted", "add \"/repository/hosted\" to"),
            ("", "add \"/\" to"),
        ] {
            let advice = narrow.advice(&url(path)).join("\n");
            assert!(advice.contains(add) && !advice.contains("inner"), "{advice}");
            assert_eq!(
                advice.contains("where pages are"),
                path == "/registry",
                "{advice}"
            );
        }
        let usual = narrow.allows_registry(&url("/repository/hosted")).unwrap_err();
        assert!(
            !usual.why.contains("belong"),
            "a product has its registry there: {usual}"
        );
    }

    #[test]
    fn a_path_that_would_mean_something_else_is_not_offered_to_be_written() {
        let as_enrolled = policy("");
        let long = format!("/{}", "a".repeat(PATH_SHOWN));
        for path in [
            "/a%2f..%2fb",
            "/a;b",
            "/a/*",
            "/repository/a%5c..",
            "/a//b",
            "/...",
            long.as_str(),
        ] {
            let refused = as_enrolled.allows_registry(&url(path)).unwrap_err();
            assert!(refused.why.ends_with("does it belong in the URL?"), "{refused}");
            let advice = as_enrolled.advice(&url(path)).join("\n");
            assert!(!advice.contains("policy.toml") && advice.len() < 512, "{advice}");
        }
    }

    #[test]
    fn what_is_allowed_or_lacks_something_else_needs_no_advice() {
        let as_enrolled = policy("");
        for other in [
            "https://gitlab.example.com",
            "https://gitlab.example.com:5050/gitlab",
            "http://gitlab.example.com:443/gitlab",
            "https://other.example.com/gitlab",
        ] {
            assert!(as_enrolled.advice(&other.parse().unwrap()).is_empty(), "{other}");
        }
    }
}
