//! Paths of registries as the policy file writes them: what may stand in front of `/v2/`.
//!
//! A registry's definition comes from the control plane, and its path is put in front of everything that is asked of the registry. Without a
//! bound, whoever has the control plane could have any path of an allowed host asked, as long as it ends like one of a registry.

use std::fmt;
use std::str::FromStr;

use portolan_shared::model::RegistryUrl;

/// Paths of an entry that names none: no path at all, and those at which products have their registries unless somebody configured them
/// otherwise. These are Artifactory's and Nexus's, for the instance and for one repository; other products have no path.
pub const DEFAULT_PATHS: [&str; 6] = [
    "/",
    "/artifactory",
    "/artifactory/api/docker/*",
    "/repository/*",
    "/nexus",
    "/nexus/repository/*",
];

/// One path, or every path that has one more name than this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPattern {
    /// This one, as [`RegistryUrl::prefix`] has it; empty for none.
    Exact(String),
    /// This one and a single plain name below it.
    Below(String),
}

impl PathPattern {
    /// Whether the path of a registry, as [`RegistryUrl::prefix`] has it, is one of these.
    #[must_use]
    pub fn matches(&self, prefix: &str) -> bool {
        match self {
            Self::Exact(path) => path == prefix,
            Self::Below(folder) => prefix
                .strip_prefix(folder.as_str())
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(is_plain),
        }
    }

    /// Whether it has every path of another pattern.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match other {
            Self::Exact(path) => self.matches(path),
            Self::Below(_) => self == other,
        }
    }

    /// Whether every name of a path that is not empty is plain, as one that a `*` stands for.
    pub(super) fn is_plain_path(path: &str) -> bool {
        path.strip_prefix('/')
            .is_some_and(|names| names.split('/').all(is_plain))
    }

    /// One of its paths, as it stands in a URL.
    #[must_use]
    pub fn example(&self) -> String {
        match self {
            Self::Exact(path) => path.clone(),
            Self::Below(folder) => format!("{folder}/any"),
        }
    }
}

/// [`DEFAULT_PATHS`].
pub(super) fn default_paths() -> Vec<PathPattern> {
    DEFAULT_PATHS
        .into_iter()
        .map(|path| path.parse().expect("a test reads each of them"))
        .collect()
}

/// A name that means itself to every server: nothing in it is decoded, cut off, or taken for a step upwards.
fn is_plain(name: &str) -> bool {
    !name.bytes().all(|b| b == b'.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-'))
}

impl FromStr for PathPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not a path: expected \"/\" for none, /registry, or /api/docker/*");
        let (front, below) = match text.strip_suffix("/*") {
            Some(folder) => (folder, true),
            None => (text, false),
        };
        let rooted = front.starts_with('/') || front.is_empty() && below;
        if !rooted || front.contains('*') {
            return Err(wrong());
        }
        let path = front.trim_end_matches('/');
        let url: RegistryUrl = format!("https://h{path}").parse().map_err(|_| wrong())?;
        // What is compared is what a URL comes to: whoever reads the file is to see that.
        if url.prefix() != path {
            let (path, star) = (url.prefix(), if below { "/*" } else { "" });
            return Err(format!(
                "{text:?} is {path:?} in a registry's URL: write \"{path}{star}\" if that is meant"
            ));
        }
        Ok(if below {
            Self::Below(path.to_owned())
        } else {
            Self::Exact(path.to_owned())
        })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) if path.is_empty() => f.write_str("/"),
            Self::Exact(path) => f.write_str(path),
            Self::Below(folder) => write!(f, "{folder}/*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefix(path: &str) -> String {
        let url: RegistryUrl = format!("https://h{path}").parse().unwrap();
        url.prefix().to_owned()
    }

    fn has(pattern: &str, path: &str) -> bool {
        pattern.parse::<PathPattern>().unwrap().matches(&prefix(path))
    }

    #[test]
    fn a_path_is_exactly_what_is_written() {
        for (pattern, path) in [
            ("/", ""),
            ("/", "/v2/"),
            ("/artifactory", "/artifactory/"),
            ("/a/b/", "/a/b"),
            ("/a/b", "/a/c/../b/v2"),
        ] {
            assert!(has(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/", "/a"),
            ("/a", ""),
            ("/a", "/a/b"),
            ("/a", "/A"),
            ("/a", "/ab"),
            ("/a/b", "/a%2fb"),
            ("/a/b", "/a//b"),
        ] {
            assert!(!has(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_star_is_one_plain_name_and_no_way_out() {
        for name in ["cloud", "docker-local_1.x", "~a", "v2x"] {
            assert!(has("/api/docker/*", &format!("/api/docker/{name}")), "{name}");
        }
        for path in [
            "/api/docker",
            "/api/docker/a/b",
            "/api/docker/..%2f..%2fsecret",
            "/api/docker/a%5c..",
            "/api/docker/..;a",
            "/api/docker/a;x=y",
            "/api/docker/%61",
            "/api/docker/...",
            "/api/docker/*",
            "/api/docker/../secret",
            "/api/dockerx/a",
            "/x/api/docker/a",
        ] {
            assert!(!has("/api/docker/*", path), "{path}");
        }
        assert!(has("/*", "/a") && !has("/*", "") && !has("/*", "/a/b"));
    }

    #[test]
    fn what_is_no_path_or_would_be_another_is_refused() {
        for bad in [
            "",
            "a",
            "*",
            "/*/b",
            "/a*",
            "/**",
            "/a?b",
            "/a#b",
            "https://h/a",
            "/a/../b",
            "/a/v2",
            "/a b",
            "/v2/*",
            "/a\\b",
        ] {
            assert!(bad.parse::<PathPattern>().is_err(), "{bad:?}");
        }
        let told = "/a/v2/".parse::<PathPattern>().unwrap_err();
        assert!(told.contains("write \"/a\""), "{told}");
    }

    #[test]
    fn patterns_cover_each_other_where_they_are_wider() {
        let read = |text: &str| text.parse::<PathPattern>().unwrap();
        assert!(read("/a/*").covers(&read("/a/b")) && read("/a/*").covers(&read("/a/*")));
        assert!(!read("/a/*").covers(&read("/a")) && !read("/a/b").covers(&read("/a/*")));
        assert!(!read("/*").covers(&read("/a/*")));
    }

    #[test]
    fn the_default_paths_are_read() {
        let read: Vec<String> = default_paths().iter().map(ToString::to_string).collect();
        assert_eq!(read, DEFAULT_PATHS);
        for path in default_paths() {
            assert!(path.matches(&prefix(&path.example())), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics_and_what_is_read_reads_again(text in "/?\\PC{0,30}(/\\*)?") {
            if let Ok(read) = text.parse::<PathPattern>() {
                prop_assert_eq!(read.to_string().parse::<PathPattern>().unwrap(), read);
            }
        }

        #[test]
        fn what_a_star_has_holds_nothing_to_decode(path in "(/[a-z.%2fF5c;]{0,6}){0,3}") {
            let prefix = prefix(&format!("/x{path}"));
            if "/x/*".parse::<PathPattern>().unwrap().matches(&prefix) {
                prop_assert!(!prefix.contains(['%', ';', '\\']) && prefix.matches('/').count() == 2);
            }
        }
    }
}
