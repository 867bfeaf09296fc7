//! Requests below `/v2/`.

use ::http::{HeaderValue, Method};
use url::Url;

use crate::auth::Scope;
use crate::error::Fault;
use crate::http::{Limits, Outgoing, Purpose};

/// A request below `/v2/`.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// Path below `/v2/`.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) accept: HeaderValue,
    pub(crate) scope: &'a Scope,
    pub(crate) if_none_match: Option<HeaderValue>,
    pub(crate) bound: usize,
    /// Whether this is a page of a listing: compressed, and given more time.
    pub(crate) listing: bool,
    pub(crate) follow: bool,
    pub(crate) retries: Option<u32>,
}

impl<'a> Request<'a> {
    /// A GET, followed, with the usual time.
    pub(crate) fn get(path: &'a str, accept: HeaderValue, scope: &'a Scope, bound: usize) -> Self {
        Self {
            method: Method::GET,
            path,
            query: None,
            accept,
            scope,
            if_none_match: None,
            bound,
            listing: false,
            follow: true,
            retries: None,
        }
    }

    /// The same to another path below `/v2/`.
    pub(super) fn to(self, path: &'a str) -> Self {
        Self { path, ..self }
    }

    pub(super) fn outgoing(self, base: &str, limits: &Limits) -> Result<Outgoing, Fault> {
        let mut text =
            String::with_capacity(base.len() + self.path.len() + self.query.map_or(0, |q| q.len() + 1));
        text.push_str(base);
        text.push_str(self.path);
        if let Some(query) = self.query.filter(|query| !query.is_empty()) {
            text.push('?');
            text.push_str(query);
        }
        let url = Url::parse(&text).map_err(|_| Fault::Internal {
            problem: "a request's URL could not be built",
        })?;
        Ok(Outgoing {
            method: self.method,
            url,
            purpose: Purpose::Registry,
            accept: self.accept,
            compressed: self.listing,
            authorization: None,
            if_none_match: self.if_none_match,
            body: None,
            bound: self.bound,
            total: if self.listing {
                limits.list_total
            } else {
                limits.total
            },
            follow: self.follow,
            retries: self.retries,
        })
    }
}
