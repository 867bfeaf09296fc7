//! `WWW-Authenticate`, in all the forms that registries really send.
//!
//! RFC 9110 section 11.6.1 is where it starts: several challenges in a line, commas within quotes. Zot, OpenShift, Nexus, Gitea
//! and Azure add unquoted URLs, odd case, empty scopes and schemes without parameters.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Bytes of one header line; longer ones are passed over.
const LINE_BYTES: usize = 8 * 1024;
/// Challenges that are kept.
const CHALLENGES: usize = 16;

/// One way to log in that a server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// With a token from a token service.
    Bearer {
        /// URL of the token service, possibly relative.
        realm: String,
        /// Name of the service that the token is for.
        service: Option<String>,
        /// What the token has to grant; may be empty, `*`, or several, separated by spaces.
        scope: Option<String>,
        /// Why the token that was sent did not do, such as `insufficient_scope`.
        error: Option<String>,
    },
    /// With user name and password.
    Basic,
}

/// The challenges of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Challenges(pub Vec<Challenge>);

impl Challenges {
    /// Reads every `WWW-Authenticate` header. Schemes that are not spoken here are left out, and so is a Bearer without a realm.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut found = Vec::new();
        for line in headers.get_all(WWW_AUTHENTICATE) {
            let text = String::from_utf8_lossy(line.as_bytes());
            if text.len() <= LINE_BYTES {
                read_line(&text, &mut found);
            }
        }
        Self(found)
    }

    /// The first Bearer challenge.
    #[must_use]
    pub fn bearer(&self) -> Option<&Challenge> {
        self.0
            .iter()
            .find(|challenge| matches!(challenge, Challenge::Bearer { .. }))
    }

    /// Whether Basic is offered.
    #[must_use]
    pub fn basic(&self) -> bool {
        self.0.contains(&Challenge::Basic)
    }
}

type Parameters = BTreeMap<String, String>;

/// The parameters of the first Basic challenge, by names in lower case. Nobody needs them to log in, but some products call themselves by
/// their name there.
pub(crate) fn basic_parameters(headers: &HeaderMap) -> Option<BTreeMap<String, String>> {
    let mut first = None;
    for line in headers.get_all(WWW_AUTHENTICATE) {
        let text = String::from_utf8_lossy(line.as_bytes());
        if text.len() <= LINE_BYTES {
            each(&text, |scheme, parameters| {
                if scheme == "basic" {
                    first.get_or_insert(parameters);
                }
            });
        }
    }
    first
}

fn read_line(line: &str, found: &mut Vec<Challenge>) {
    each(line, |scheme, parameters| finish(&scheme, parameters, found));
}

fn each(line: &str, mut challenge: impl FnMut(String, Parameters)) {
    let mut reader = Reader { rest: line };
    let mut current: Option<(String, Parameters)> = None;
    loop {
        reader.skip(|c| c == ',' || c.is_whitespace());
        let word = reader.take(|c| !c.is_whitespace() && c != ',' && c != '=');
        if word.is_empty() {
            if reader.rest.is_empty() {
                break;
            }
            reader.skip_one();
            continue;
        }
        let word = word.to_ascii_lowercase();
        let after = reader.rest;
        reader.skip(char::is_whitespace);
        if reader.rest.starts_with('=') {
            reader.skip_one();
            reader.skip(char::is_whitespace);
            let value = reader.value();
            if let Some((_, parameters)) = &mut current {
                // The first one counts, as with header fields that may stand once only.
                parameters.entry(word).or_insert(value);
            }
        } else {
            reader.rest = after;
            if let Some((scheme, parameters)) = current.replace((word, Parameters::new())) {
                challenge(scheme, parameters);
            }
        }
    }
    if let Some((scheme, parameters)) = current {
        challenge(scheme, parameters);
    }
}

fn finish(scheme: &str, mut parameters: Parameters, found: &mut Vec<Challenge>) {
    if found.len() >= CHALLENGES {
        return;
    }
    match scheme {
        "basic" => found.push(Challenge::Basic),
        "bearer" => {
            if let Some(realm) = parameters.remove("realm").filter(|realm| !realm.is_empty()) {
                found.push(Challenge::Bearer {
                    realm,
                    service: parameters.remove("service").filter(|service| !service.is_empty()),
                    scope: parameters.remove("scope"),
                    error: parameters.remove("error"),
                });
            }
        }
        _ => {}
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, what: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(what);
    }

    fn skip_one(&mut self) {
        let mut characters = self.rest.chars();
        characters.next();
        self.rest = characters.as_str();
    }

    fn take(&mut self, what: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !what(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn value(&mut self) -> String {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            return self.take(|c| c != ',' && !c.is_whitespace()).to_owned();
        };
        let mut value = String::new();
        let mut characters = quoted.chars();
        while let Some(c) = characters.next() {
            match c {
                '"' => break,
                '\\' => value.extend(characters.next()),
                c => value.push(c),
            }
        }
        self.rest = characters.as_str();
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn read(lines: &[&str]) -> Vec<Challenge> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                WWW_AUTHENTICATE,
                HeaderValue::from_bytes(line.as_bytes()).unwrap(),
            );
        }
        Challenges::of(&headers).0
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.into(),
            service: service.map(Into::into),
            scope: scope.map(Into::into),
            error: None,
        }
    }

    #[test]
    fn reads_every_known_form() {
        let usual = bearer(
            "https://t.example.com/auth",
            Some("r"),
            Some("repository:a/b:pull,push"),
        );
        assert_eq!(
            read(&[
                r#"Bearer realm="https://t.example.com/auth",service="r",scope="repository:a/b:pull,push""#
            ]),
            std::slice::from_ref(&usual),
            "a comma inside quotes"
        );
        assert_eq!(
            read(&[
                r#"bearer realm="https://t.example.com/auth" , service = "r" ,scope="repository:a/b:pull,push""#
            ]),
            std::slice::from_ref(&usual),
            "lower case, spaces"
        );
        assert_eq!(
            read(&[r#"Bearer realm="a\"b\\c""#]),
            [bearer("a\"b\\c", None, None)],
            "escapes"
        );
        assert_eq!(
            read(&[r#"Bearer realm="https://g/token",service="g",scope="*",Basic realm="g""#]),
            [bearer("https://g/token", Some("g"), Some("*")), Challenge::Basic],
            "two challenges in one line (Gitea)"
        );
        assert_eq!(
            read(&[r#"Basic realm="x", Bearer realm="https://g/token""#]),
            [Challenge::Basic, bearer("https://g/token", None, None)]
        );
        assert_eq!(
            read(&[r#"Bearer realm="https://g/token""#, "Basic"]),
            [bearer("https://g/token", None, None), Challenge::Basic],
            "two headers, one bare"
        );
        assert_eq!(
            read(&[r#"BASIC realm="Sonatype Nexus Repository Manager""#]),
            [Challenge::Basic],
            "upper case"
        );
        assert_eq!(
            read(&["bearer realm=https://z:8080/auth?a=b,service=zot,scope=\"\""]),
            [bearer("https://z:8080/auth?a=b", Some("zot"), Some(""))],
            "unquoted URL (Zot)"
        );
        assert_eq!(
            read(&[r#"Basic realm=openshift,error="authentication required""#]),
            [Challenge::Basic],
            "OpenShift"
        );
        assert_eq!(read(&["Basic"]), [Challenge::Basic]);
        assert_eq!(
            read(&[r#"Bearer realm="/auth/token""#]),
            [bearer("/auth/token", None, None)],
            "relative"
        );
        assert_eq!(
            read(&[r#"Bearer service="r""#]),
            [],
            "without a realm there is nobody to ask"
        );
        assert_eq!(
            read(&[r#"Negotiate abc==, NTLM, Digest realm="x", Bearer realm="y""#]),
            [bearer("y", None, None)],
            "unknown schemes"
        );
        assert_eq!(
            read(&[r#"Bearer realm="open"#]),
            [bearer("open", None, None)],
            "unclosed quote"
        );
        assert_eq!(read(&["", ",,,", "= = ="]), []);
        let long = format!("Bearer realm=\"{}\"", "a".repeat(LINE_BYTES));
        assert_eq!(read(&[&long]), [], "too long a line");
        assert_eq!(
            read(&["Basic,".repeat(CHALLENGES + 1).as_str()]).len(),
            CHALLENGES
        );
        let told = read(&[r#"Bearer realm="x",error="insufficient_scope""#]);
        assert!(
            matches!(&told[0], Challenge::Bearer { error: Some(error), .. } if error == "insufficient_scope")
        );
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "[ -~\u{80}-\u{ff}]{0,200}") {
            let mut found = Vec::new();
            read_line(&line, &mut found);
            prop_assert!(found.len() <= CHALLENGES);
        }

        #[test]
        fn quoted_values_come_back(realm in "[ -~]{1,60}", service in "[ -~]{1,60}") {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let line = format!("Bearer realm=\"{}\", service=\"{}\"", quote(&realm), quote(&service));
            prop_assert_eq!(read(&[&line]), [bearer(&realm, Some(&service), None)]);
        }
    }
}
