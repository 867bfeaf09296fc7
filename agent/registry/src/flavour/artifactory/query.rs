//! A walk through files, by Artifactory's query language (AQL).

use ::http::{HeaderValue, Method};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::WalkEnd;
use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::native::{PAGE_BYTES, ask, loose};
use crate::flavour::numbered::Numbered;
use crate::flavour::rows::Rows;

/// Rows on a page.
const SIZES: &[usize] = &[1_000];

pub(super) struct Query {
    client: RegistryClient,
    subject: Subject,
    path: String,
    criteria: Value,
    walk: Numbered,
}

#[derive(Deserialize)]
struct Answer {
    results: Rows<File>,
}

/// A manifest. The folder that it lies in is a tag, or stands for a child of an index.
#[derive(Deserialize)]
pub(super) struct File {
    /// The folder.
    pub(super) path: String,
    #[serde(default, deserialize_with = "loose")]
    pub(super) sha256: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) created: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    pub(super) modified: Option<String>,
}

impl Query {
    /// Every manifest in the repository `key`; with `image` only those below it, for which it must not hold what a pattern of the language means
    /// something by. At most `bound` files.
    pub(super) fn new(
        client: RegistryClient,
        subject: Subject,
        context: &str,
        key: &str,
        image: Option<&str>,
        bound: usize,
    ) -> Self {
        let mut criteria = json!({
            "repo": key,
            "$or": [{"name": "list.manifest.json"}, {"name": "manifest.json"}],
        });
        if let Some(image) = image {
            criteria["path"] = json!({"$match": format!("{image}/*")});
        }
        Self {
            path: format!("{context}/api/search/aql"),
            walk: Numbered::new(SIZES, client.limits().pages, bound),
            client,
            subject,
            criteria,
        }
    }

    /// The query for a page. Whoever is no administrator has to ask for repository, path and name.
    fn text(&self, page: usize, size: usize) -> String {
        let offset = (page - 1) * size;
        format!(
            "items.find({}).include(\"repo\",\"path\",\"name\",\"sha256\",\"created\",\"modified\")\
            .sort({{\"$asc\":[\"path\",\"name\"]}}).offset({offset}).limit({size})",
            self.criteria
        )
    }

    /// The next page, without files whose folder came before: of an index and an image in one folder the index comes first. `None` at the end. That
    /// nothing is found at all is an error: what a virtual repository shows is filed under its members, and what may not be read is not there.
    pub(super) async fn next(&mut self) -> Result<Option<Rows<File>>, RegistryError> {
        const TEXT: HeaderValue = HeaderValue::from_static("text/plain");
        let Some((number, size)) = self.walk.next() else {
            return Ok(None);
        };
        let call = ApiCall {
            method: Method::POST,
            body: Some((TEXT, Bytes::from(self.text(number, size)))),
            bound: PAGE_BYTES,
            ..ApiCall::get(&self.path, ApiLogin::Basic)
        };
        let answer: Answer = ask(&self.client, &self.subject, call).await?;
        let mut files = answer.results;
        let total = files.total();
        if number == 1 && total == 0 {
            let fault = Fault::Protocol {
                problem: "the query language finds nothing there",
            };
            return Err(self.client.error(self.subject.clone(), fault));
        }
        files.good.retain(|file| self.walk.takes(&file.path));
        self.walk.turn(total, false);
        Ok(Some(files))
    }

    /// An error if rows of a page cannot be read.
    pub(super) fn all_read(&self, files: &Rows<File>) -> Result<(), RegistryError> {
        files
            .all_read()
            .map_err(|fault| self.client.error(self.subject.clone(), fault))
    }

    /// How the walk ended; `None` while it goes on.
    pub(super) fn end(&self) -> Option<WalkEnd> {
        self.walk.end()
    }
}

#[cfg(test)]
mod tests {
    use portolan_shared::model::{CaTrust, DiscoveryMethod, RegistryUrl};
    use portolan_shared::tls::{RegistryTrust, SystemRoots};
    use proptest::prelude::*;

    use super::*;
    use crate::client::Access;

    fn text(key: &str, image: Option<&str>, page: usize) -> String {
        let url: RegistryUrl = "http://127.0.0.1/artifactory".parse().unwrap();
        let trust = RegistryTrust::new(SystemRoots::none(), &CaTrust::default(), None).unwrap();
        let client = RegistryClient::new(Access::new(url, trust)).unwrap();
        let subject = Subject::Discovery(DiscoveryMethod::ArtifactoryRepositories);
        Query::new(client, subject, "/artifactory", key, image, 10).text(page, 1_000)
    }

    fn criteria(text: &str) -> Value {
        let rest = text.strip_prefix("items.find(").unwrap();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let first = values.next().unwrap().unwrap();
        let rest = &rest[values.byte_offset()..];
        assert!(
            rest.starts_with(").include(\"repo\",\"path\",\"name\","),
            "{text}"
        );
        first
    }

    #[test]
    fn pages_follow_each_other() {
        let third = text("docker-local", Some("shop/api"), 3);
        assert!(third.ends_with(".offset(2000).limit(1000)"), "{third}");
        assert_eq!(criteria(&text("docker-local", None, 1)).get("path"), None);
    }

    proptest! {
        #[test]
        fn no_name_changes_the_query(key in "\\PC{1,20}", image in "\\PC{1,20}") {
            let criteria = criteria(&text(&key, Some(&image), 1));
            prop_assert_eq!(&criteria["repo"], &json!(key));
            prop_assert_eq!(&criteria["path"], &json!({"$match": format!("{image}/*")}));
        }
    }
}
