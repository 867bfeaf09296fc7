//! The parameters of lists, checked as GitLab checks them.

use axum::response::Response;
use data_encoding::BASE64;
use http::StatusCode;
use jiff::Timestamp;
use portolan_shared::model::TagName;
use serde_json::json;
use url::form_urlencoded;

use crate::registry::errors;

/// Entries on a page unless asked for otherwise, and at most.
const PAGE: (usize, usize) = (100, 1_000);

/// Why a query is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// A value that is not allowed, and what would be.
    Value(String),
    /// A value of the wrong type, and what it would have to be.
    Type(String),
}

impl Refused {
    pub(super) fn value(name: &str, rule: &str) -> Self {
        Self::Value(format!("the '{name}' query parameter {rule}"))
    }

    pub(super) fn response(&self) -> Response {
        let (code, message, detail) = match self {
            Self::Value(detail) => (
                "INVALID_QUERY_PARAMETER_VALUE",
                "invalid query parameter value",
                detail,
            ),
            Self::Type(detail) => (
                "INVALID_QUERY_PARAMETER_TYPE",
                "invalid query parameter value type",
                detail,
            ),
        };
        errors::error(StatusCode::BAD_REQUEST, code, message, &json!(detail))
    }
}

/// By what a list of tags is ordered: by name from the first to the last, unless said otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) by_time: bool,
    pub(super) descending: bool,
}

/// Where an entry stands: the time of its push in microseconds if that is the order, and its name.
pub(super) type Place = (i64, String);

impl Sort {
    fn of(text: &str) -> Result<Self, Refused> {
        let (descending, key) = text.strip_prefix('-').map_or((false, text), |key| (true, key));
        match key {
            "name" | "published_at" => Ok(Self {
                by_time: key == "published_at",
                descending,
            }),
            _ => Err(Refused::value(
                "sort",
                "must be one of name, -name, published_at, -published_at",
            )),
        }
    }

    /// What a marker says.
    fn place(self, name: &str, marker: &str) -> Result<Place, Refused> {
        let refused = || Refused::value(name, "value must be a marker of this list");
        if !self.by_time {
            return Ok((0, marker.parse::<TagName>().map_err(|_| refused())?.to_string()));
        }
        let text = BASE64
            .decode(marker.as_bytes())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or_else(refused)?;
        let (time, tag) = text.split_once('|').ok_or_else(refused)?;
        let time: Timestamp = time.parse().map_err(|_| refused())?;
        Ok((time.as_microsecond(), tag.to_owned()))
    }

    /// A marker for a place.
    pub(super) fn marker(self, (time, tag): &Place) -> String {
        if !self.by_time {
            return tag.clone();
        }
        let time = Timestamp::from_microsecond(*time).unwrap_or_default();
        let time = time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ");
        BASE64.encode(format!("{time}|{tag}").as_bytes())
    }
}

/// The parameters of a list of tags.
#[derive(Debug, Default)]
pub(super) struct TagsQuery {
    pub(super) number: usize,
    pub(super) last: Option<Place>,
    pub(super) before: Option<Place>,
    pub(super) name: Option<String>,
    pub(super) exact: Option<String>,
    pub(super) sort: Sort,
    /// As it was asked for.
    pub(super) sort_text: Option<String>,
    /// Whether referrers are wanted; of these types only, unless there are none.
    pub(super) referrers: Option<Vec<String>>,
}

impl TagsQuery {
    pub(super) fn of(query: &str) -> Result<Self, Refused> {
        let value = |wanted: &str| value(query, wanted);
        let sort_text = value("sort");
        let sort = sort_text.as_deref().map_or(Ok(Sort::default()), Sort::of)?;
        let place = |name: &str| value(name).map(|marker| sort.place(name, &marker)).transpose();
        let (last, before) = (place("last")?, place("before")?);
        if last.is_some() && before.is_some() {
            return Err(Refused::value("before", "is mutually exclusive with 'last'"));
        }
        let pattern = |name: &str| match value(name) {
            Some(text) if text.is_empty() || text.len() > 128 || !text.bytes().all(in_tags) => {
                Err(Refused::value(name, "value must match the tag name pattern"))
            }
            other => Ok(other),
        };
        let (name, exact) = (pattern("name")?, pattern("name_exact")?);
        if name.is_some() && exact.is_some() {
            return Err(Refused::value("name", "is mutually exclusive with 'name_exact'"));
        }
        let types = value("referrer_type");
        let referrers = match value("referrers").as_deref() {
            None if types.is_some() => {
                return Err(Refused::value("referrer_type", "needs 'referrers'"));
            }
            None => None,
            Some("true") => {
                Some(types.map_or_else(Vec::new, |types| types.split(',').map(str::to_owned).collect()))
            }
            Some(_) => return Err(Refused::value("referrers", "value must be true")),
        };
        Ok(Self {
            number: number(query)?,
            last,
            before,
            name,
            exact,
            sort,
            sort_text,
            referrers,
        })
    }
}

/// The number of entries that is wanted on a page.
pub(super) fn number(query: &str) -> Result<usize, Refused> {
    let Some(text) = value(query, "n") else {
        return Ok(PAGE.0);
    };
    let number: i64 = text
        .parse()
        .map_err(|_| Refused::Type("the 'n' query parameter value must be of type integer".to_owned()))?;
    match usize::try_from(number) {
        Ok(number) if (1..=PAGE.1).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(Refused::value(
            "n",
            &format!("value must be between 1 and {}", PAGE.1),
        )),
    }
}

/// The first value of a parameter.
pub(super) fn value(query: &str, wanted: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == wanted)
        .map(|(_, value)| value.into_owned())
}

fn in_tags(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}
