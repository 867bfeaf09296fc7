//! The `Link` header: a hint for the next page's cursor, never a place to go to.
//!
//! Servers behind proxies name wrong hosts (Quay, Pulp), lose the path's prefix (CNCF Distribution, Artifactory), or add a wrong one (Nexus). So
//! of the target only the query is taken; origin and path stay ours.

use ::http::HeaderMap;
use ::http::header::LINK;
use url::Url;

use crate::http::URL_BYTES;

/// The query of the first link whose relation is `next` (RFC 8288); `None` if there is none or it has no query.
pub(super) fn next_query(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(LINK)
        .iter()
        .filter(|value| value.len() <= URL_BYTES)
        .find_map(|value| next_in(&String::from_utf8_lossy(value.as_bytes())))
}

fn next_in(value: &str) -> Option<String> {
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
            return query_of(target);
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
