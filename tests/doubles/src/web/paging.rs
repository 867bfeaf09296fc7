//! The REST API's two ways of paging.

use std::ops::Range;

use axum::response::Response;
use http::{HeaderValue, Uri, header};
use serde_json::Value;
use url::form_urlencoded;

use super::answers::{self, Refused};

/// Rows on a page unless asked for otherwise, and at most.
const PAGE: (usize, usize) = (20, 100);
/// Beyond so many rows GitLab stops counting them.
const COUNTED: usize = 10_000;
/// How far offsets reach where there are keysets.
const OFFSET: usize = 50_000;

/// The query of a list.
#[derive(Debug)]
pub(super) struct Query {
    url: String,
    pairs: Vec<(String, String)>,
}

impl Query {
    /// The query of a request that came to `base`.
    pub(super) fn of(base: &str, uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        Self {
            url: format!("{base}{}", uri.path()),
            pairs: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == Some(value)
    }

    pub(super) fn keyset(&self) -> bool {
        self.is("pagination", "keyset")
    }

    pub(super) fn per_page(&self) -> usize {
        let number = self.get("per_page").and_then(|text| text.parse().ok());
        number.filter(|number| *number > 0).unwrap_or(PAGE.0).min(PAGE.1)
    }

    fn page(&self) -> usize {
        let number = self.get("page").and_then(|text| text.parse().ok());
        number.filter(|number| *number > 0).unwrap_or(1)
    }

    /// Which of `total` rows are on the page; `keysets` says that there is the other way too, so that offsets are bounded.
    pub(super) fn rows(&self, total: usize, keysets: bool) -> Result<Range<usize>, Refused> {
        let start = (self.page() - 1).saturating_mul(self.per_page());
        if keysets && start > OFFSET {
            return Err(answers::paging_refused(&format!(
                "Offset pagination has a maximum allowed offset of {OFFSET} for requests that return objects of type \
                 Project. Remaining records can be retrieved using keyset pagination."
            )));
        }
        let start = start.min(total);
        Ok(start..start.saturating_add(self.per_page()).min(total))
    }

    /// The answer with a page of `total` rows by offset.
    pub(super) fn offset(&self, rows: Vec<Value>, total: usize) -> Response {
        let (page, per_page) = (self.page(), self.per_page());
        let pages = total.div_ceil(per_page).max(1);
        let next = Some(page + 1).filter(|next| *next <= pages);
        let previous = Some(page - 1).filter(|previous| *previous > 0 && *previous <= pages);
        let counted = total <= COUNTED;
        let mut response = answers::ok(&Value::Array(rows));
        let text = |number: Option<usize>| number.map(|number| number.to_string()).unwrap_or_default();
        let mut set = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        };
        set("x-page", page.to_string());
        set("x-per-page", per_page.to_string());
        set("x-next-page", text(next));
        set("x-prev-page", text(previous));
        if counted {
            set("x-total", total.to_string());
            set("x-total-pages", pages.to_string());
        }
        let links = [
            ("prev", previous),
            ("next", next),
            ("first", Some(1)),
            ("last", Some(pages).filter(|_| counted)),
        ];
        let links = links.into_iter().filter_map(|(relation, page)| {
            let page = page?.to_string();
            Some(self.link(relation, &[("page", &page), ("per_page", &per_page.to_string())]))
        });
        set("link", links.collect::<Vec<_>>().join(", "));
        response
    }

    /// The answer with a page by keyset; `next` is the marker of the one after, if there is one.
    pub(super) fn keysets(&self, rows: Vec<Value>, next: Option<(&str, &str)>) -> Response {
        let mut response = answers::ok(&Value::Array(rows));
        let link = next.map(|marker| self.link("next", &[marker]));
        if let Some(value) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            response.headers_mut().insert(header::LINK, value);
        }
        response
    }

    /// A link to this list with some parameters set.
    fn link(&self, relation: &str, set: &[(&str, &str)]) -> String {
        let kept = self
            .pairs
            .iter()
            .filter(|(name, _)| set.iter().all(|(other, _)| other != name));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(set)
            .extend_pairs(kept)
            .finish();
        format!("<{}?{query}>; rel=\"{relation}\"", self.url)
    }
}
