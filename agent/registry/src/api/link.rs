//! The `Link` header: a hint for the next page's cursor, never a place to go to.
//!
//! Servers behind proxies name wrong hosts (Quay, Pulp), lose the path's prefix (CNCF Distribution, Artifactory), or add a wrong one (Nexus). So
//! of the target only the query is taken; origin and path stay ours.

use ::http::HeaderMap;
use ::http::header::LINK;
use portolan_shared::model::printable;
use url::Url;

use crate::http::URL_BYTES;

/// Bytes of a foreign origin that are shown.
const ORIGIN_BYTES: usize = 128;

/// The query of the first link whose relation is `next` (RFC 8288); `None` if there is none or it has no query.
pub(crate) fn next_query(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(LINK)
        .iter()
        .filter(|value| value.len() <= URL_BYTES)
        .find_map(|value| next_in(&String::from_utf8_lossy(value.as_bytes())))
}

/// Scheme, host and port that the link to the next page names, if they are not those of `asked`: whoever made the link does not know by
/// which address the registry is reached.
pub(super) fn next_elsewhere(headers: &HeaderMap, asked: &Url) -> Option<String> {
    let target = headers
        .get_all(LINK)
        .iter()
        .filter(|value| value.len() <= URL_BYTES)
        .find_map(|value| target_in(&String::from_utf8_lossy(value.as_bytes())).map(str::to_owned))?;
    let named = asked.join(target.trim()).ok()?;
    (named.origin() != asked.origin() && named.has_host())
        .then(|| printable(&named.origin().ascii_serialization(), ORIGIN_BYTES))
}

fn next_in(value: &str) -> Option<String> {
    target_in(value).and_then(query_of)
}

fn target_in(value: &str) -> Option<&str> {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        // The parameters reach to the next link; a target may hold commas, its parameters hold none followed by `<`.
        let end = after
            .char_indices()
            .find(|(at, c)| *c == ',' && after[at + 1..].trim_start().starts_with('<'))
            .map_or(after.len(), |(at, _)| at);
        let (parameters, following) = after.split_at(end);
        if is_next(parameters) {
            return Some(target);
        }
        rest = following;
    }
    None
}

fn is_next(parameters: &str) -> bool {
    parameters
        .split([';', ','])
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel"))
        .any(|(_, value)| {
            value
                .trim()
                .trim_matches('"')
                .split_ascii_whitespace()
                .any(|relation| relation.eq_ignore_ascii_case("next"))
        })
}

/// The query, escaped where the server forgot to (Zot).
fn query_of(target: &str) -> Option<String> {
    let (_, query) = target.split_once('?')?;
    let query = query.split('#').next().unwrap_or(query);
    let mut url = Url::parse("https://x.invalid/").ok()?;
    url.set_query(Some(query));
    url.query().filter(|query| !query.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderValue;
    use proptest::prelude::*;

    fn next(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(LINK, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        next_query(&headers)
    }

    #[test]
    fn reads_every_known_form() {
        let wanted = Some("last=b&n=2".to_owned());
        for form in [
            r#"</v2/a/tags/list?last=b&n=2>; rel="next""#,
            r#"<https://wrong.example.com:1/x/v2/a/tags/list?last=b&n=2>; rel="next""#,
            r#"</v2/a/tags/list?last=b&n=2>; rel=next"#,
            r#"</v2/a/tags/list?last=b&n=2>;REL="Next";title="x""#,
            r#"</v2/a/tags/list?last=b&n=2>; title="a;b"; rel="prefetch next""#,
            r#"</v2/a?before=a>; rel="previous", </v2/a?last=b&n=2>; rel="next""#,
            r#"<?last=b&n=2>; rel="next""#,
            r#"</v2/a?last=b&n=2#part>; rel="next""#,
        ] {
            assert_eq!(next(&[form]), wanted, "{form}");
        }
        assert_eq!(
            next(&[r#"</a?x=1>; rel="previous""#, r#"</a?last=b&n=2>; rel="next""#]),
            wanted,
            "two headers"
        );
        assert_eq!(
            next(&[r#"</a?last=b c"d>; rel="next""#]).unwrap(),
            "last=b%20c%22d",
            "not escaped"
        );
        assert_eq!(
            next(&[r#"</a?last=a,b>; rel="next""#]).unwrap(),
            "last=a,b",
            "a comma in the target"
        );
        for none in [
            "",
            "x",
            "<",
            "<>",
            r#"</a>; rel="next""#,
            r#"</a?x=1>"#,
            r#"</a?x>; rel="last""#,
            r#"</a?>; rel="next""#,
        ] {
            assert_eq!(next(&[none]), None, "{none}");
        }
        let long = format!(r#"</a?{}>; rel="next""#, "x".repeat(URL_BYTES));
        assert_eq!(next(&[&long]), None);
    }

    #[test]
    fn tells_another_origin_from_another_path() {
        let elsewhere = |link: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, HeaderValue::from_str(link).unwrap());
            next_elsewhere(
                &headers,
                &Url::parse("https://r.example.com:5050/x/v2/a/tags/list").unwrap(),
            )
        };
        for ours in [
            r#"</v2/a/tags/list?last=b>; rel="next""#,
            r#"<?last=b>; rel="next""#,
            r#"<https://r.example.com:5050/v2/a/tags/list?last=b>; rel="next""#,
            r#"<https://other.example.com/?x=1>; rel="previous", </v2/a?last=b>; rel="next""#,
        ] {
            assert_eq!(elsewhere(ours), None, "{ours}");
        }
        for (foreign, origin) in [
            (
                r#"<http://r.example.com:5050/v2/?last=b>; rel="next""#,
                "http://r.example.com:5050",
            ),
            (
                r#"<https://r.example.com/v2/?last=b>; rel="next""#,
                "https://r.example.com",
            ),
            (r#"<https://internal/v2/?last=b>; rel="next""#, "https://internal"),
        ] {
            assert_eq!(elsewhere(foreign).as_deref(), Some(origin));
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "[ -~\u{80}-\u{ff}<>,;]{0,120}") {
            if let Some(query) = next_in(&line) {
                let url = Url::parse(&format!("https://h/v2/x?{query}")).unwrap();
                prop_assert_eq!(url.host_str(), Some("h"));
            }
        }
    }
}
