//! What the search extension is asked, and its answers.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::auth::Scope;
use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::error::Fault;
use crate::flavour::rows::{Rows, encoded, read};

/// A page of results.
pub(super) struct Results<T> {
    pub(super) rows: Rows<T>,
    /// Rows that there are in all, if it says so.
    pub(super) total: Option<usize>,
}

/// A text in a query. What JSON writes between quotes, GraphQL reads as the same text.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Which page, in a query.
pub(super) fn requested(page: usize, size: usize) -> String {
    let offset = (page - 1).saturating_mul(size);
    format!("requestedPage:{{limit:{size},offset:{offset},sortBy:ALPHABETIC_ASC}}")
}

/// Asks for `field`, a field of the schema's root with its arguments, and these members of its results.
pub(super) async fn search<T: DeserializeOwned>(
    client: &RegistryClient,
    scope: &Scope,
    field: &str,
    members: &str,
) -> Result<Results<T>, Fault> {
    let query = format!("{{{field}{{Page{{TotalCount}}Results{{{members}}}}}}}");
    let prefix = client.url().prefix();
    let path = format!("{prefix}/v2/_zot/ext/search?query={}", encoded(&query));
    let reply = client.call(ApiCall::get(&path, ApiLogin::Scoped(scope))).await?;
    let name = field.split('(').next().unwrap_or(field);
    let answer: Answer<T> = read(&reply)?;
    found(answer, name).ok_or(Fault::Protocol {
        problem: "the search extension did not answer the query",
    })
}

fn found<T>(answer: Answer<T>, name: &str) -> Option<Results<T>> {
    if !answer.errors.unwrap_or_default().is_empty() {
        return None;
    }
    let Data { images, repositories } = answer.data?;
    let list = match name {
        "ImageList" => images?,
        _ => repositories?,
    };
    Some(Results {
        rows: list.rows.unwrap_or_default(),
        total: list.page.and_then(|page| page.total),
    })
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct Answer<T> {
    data: Option<Data<T>>,
    errors: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct Data<T> {
    #[serde(rename = "ImageList")]
    images: Option<List<T>>,
    #[serde(rename = "RepoListWithNewestImage")]
    repositories: Option<List<T>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct List<T> {
    #[serde(rename = "Page")]
    page: Option<Info>,
    /// It is written in Go, where a list without rows may be `null`.
    #[serde(rename = "Results")]
    rows: Option<Rows<T>>,
}

#[derive(Deserialize)]
struct Info {
    #[serde(rename = "TotalCount")]
    total: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_results_and_refusals() {
        let read = |text: &str| {
            let answer: Answer<String> = serde_json::from_str(text).ok()?;
            found(answer, "ImageList").map(|results| (results.rows.good, results.rows.bad, results.total))
        };
        assert_eq!(
            read(r#"{"data":{"ImageList":{"Page":{"TotalCount":7,"ItemCount":1},"Results":["a",1]}}}"#),
            Some((vec!["a".into()], 1, Some(7)))
        );
        assert_eq!(
            read(r#"{"data":{"ImageList":{"Page":null,"Results":null}}}"#),
            Some((vec![], 0, None))
        );
        for refused in [
            r#"{"errors":[{"message":"x"}],"data":{"ImageList":{"Results":[]}}}"#,
            r#"{"data":null}"#,
            r#"{"data":{"ImageList":null}}"#,
            r#"{"data":{"ImageList":[]}}"#,
            r#"{"data":{"RepoListWithNewestImage":{"Results":[]}}}"#,
            "[]",
            "{}",
        ] {
            assert_eq!(read(refused), None, "{refused}");
        }
    }

    #[test]
    fn pages_begin_where_the_ones_before_end() {
        assert_eq!(
            requested(1, 1000),
            "requestedPage:{limit:1000,offset:0,sortBy:ALPHABETIC_ASC}"
        );
        assert_eq!(
            requested(3, 100),
            "requestedPage:{limit:100,offset:200,sortBy:ALPHABETIC_ASC}"
        );
    }

    proptest! {
        #[test]
        fn no_name_ends_the_text_that_it_is_in(name in "\\PC{0,40}|[\"\\\\{}()\\n\\t]{0,10}") {
            let text = quoted(&name);
            let inner = &text[1..text.len() - 1];
            let mut escaped = false;
            for c in inner.chars() {
                prop_assert!(escaped || c != '"', "{}", text);
                prop_assert!(c >= ' ', "{}", text);
                escaped = !escaped && c == '\\';
            }
            prop_assert!(!escaped);
        }
    }
}
