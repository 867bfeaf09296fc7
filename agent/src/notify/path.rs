//! What the path of a request says.

use portolan_shared::secret::Secret;

/// What all paths begin with.
const ROOT: &str = "/notify/";

/// What a path of ours says: `/notify/NAME` or `/notify/NAME/SECRET`.
pub(super) struct NotifyPath<'a> {
    pub(super) registry: &'a str,
    pub(super) secret: Option<Secret>,
}

impl<'a> NotifyPath<'a> {
    /// None if it is no path of ours.
    pub(super) fn of(path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix(ROOT)?;
        let (registry, secret) = match rest.split_once('/') {
            None => (rest, None),
            Some((registry, secret)) => (registry, Some(Secret::new(decoded(secret)?))),
        };
        (!registry.is_empty()).then_some(Self { registry, secret })
    }
}

/// A path segment without its percent-encoding (RFC 3986, section 2.1).
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(path: &str) -> Option<(String, Option<String>)> {
        NotifyPath::of(path).map(|read| {
            let secret = read.secret.map(|secret| secret.expose().to_owned());
            (read.registry.to_owned(), secret)
        })
    }

    #[test]
    fn a_path_names_a_registry_and_may_show_a_secret() {
        let is = |path, registry: &str, secret: Option<&str>| {
            assert_eq!(
                read(path),
                Some((registry.to_owned(), secret.map(str::to_owned))),
                "{path}"
            );
        };
        is("/notify/gitlab", "gitlab", None);
        is("/notify/gitlab/s3cret", "gitlab", Some("s3cret"));
        is("/notify/gitlab/", "gitlab", Some(""));
        is("/notify/gitlab/a%2Fb%20%c3%a4", "gitlab", Some("a/b ä"));
        is("/notify/gitlab/a/b", "gitlab", Some("a/b"));
        for none in [
            "/",
            "/notify",
            "/notify/",
            "/notify//x",
            "/notifyx/gitlab",
            "/Notify/gitlab",
            "/notify/gitlab/%",
            "/notify/gitlab/%2",
            "/notify/gitlab/%zz",
            "/notify/gitlab/%ff",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_path_panics_and_every_secret_comes_back(path in "\\PC{0,80}", secret in "\\PC{0,40}") {
            let _ = read(&path);
            let _ = read(&format!("/notify/a/{path}"));
            let encoded: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let path = format!("/notify/a/{encoded}");
            prop_assert_eq!(read(&path), Some(("a".to_owned(), Some(secret))));
        }
    }
}
