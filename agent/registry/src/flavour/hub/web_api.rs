//! The web API, its login, and its lists.

use std::sync::Arc;

use ::http::{HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::api::WalkEnd;
use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::native::{PAGE_BYTES, ask};
use crate::flavour::numbered::Numbered;
use crate::flavour::rows::Rows;

/// Rows on a page: the most that the web API gives.
const SIZES: &[usize] = &[100];

/// The web API, and the token that it has given.
pub(super) struct WebApi {
    url: Url,
    session: tokio::sync::Mutex<Option<HeaderValue>>,
}

#[derive(Deserialize)]
struct Session {
    #[serde(alias = "token")]
    access_token: String,
}

impl WebApi {
    /// The one at this URL.
    pub(super) fn new(url: Url) -> Self {
        Self {
            url,
            session: tokio::sync::Mutex::default(),
        }
    }

    /// Asks with the token of the login; as a stranger if there is none.
    async fn get<T: DeserializeOwned>(
        &self,
        client: &RegistryClient,
        subject: &Subject,
        path: &str,
    ) -> Result<T, RegistryError> {
        let token = self.token(client, subject, None).await?;
        match self.get_with(client, subject, path, token.as_ref()).await {
            // Tokens end after ten minutes; whether this one has is not known before.
            Err(error) if token.is_some() && is_unauthorised(&error) => {
                let next = self.token(client, subject, token.as_ref()).await?;
                self.get_with(client, subject, path, next.as_ref()).await
            }
            outcome => outcome,
        }
    }

    async fn get_with<T: DeserializeOwned>(
        &self,
        client: &RegistryClient,
        subject: &Subject,
        path: &str,
        token: Option<&HeaderValue>,
    ) -> Result<T, RegistryError> {
        let login = token.map_or(ApiLogin::Stranger, ApiLogin::Given);
        let call = ApiCall {
            bound: PAGE_BYTES,
            ..ApiCall::get(path, login).at(&self.url)
        };
        ask(client, subject, call).await
    }

    /// The token, another than `spent`; `None` without a login. One at a time asks for it.
    async fn token(
        &self,
        client: &RegistryClient,
        subject: &Subject,
        spent: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let failed = |fault| client.error(subject.clone(), fault);
        let mut session = self.session.lock().await;
        if session.is_some() && session.as_ref() != spent {
            return Ok(session.clone());
        }
        *session = None;
        if !client.has_login().await.map_err(failed)? {
            return Ok(None);
        }
        let call = ApiCall {
            method: Method::POST,
            bound: 64 * 1024,
            ..ApiCall::get("/v2/auth/token", ApiLogin::Members("identifier", "secret")).at(&self.url)
        };
        let given: Session = ask(client, subject, call).await?;
        let header = HeaderValue::try_from(format!("Bearer {}", given.access_token));
        let mut header = header.map_err(|_| {
            failed(Fault::Protocol {
                problem: "the token that was given cannot be sent",
            })
        })?;
        header.set_sensitive(true);
        *session = Some(header.clone());
        Ok(Some(header))
    }
}

fn is_unauthorised(error: &RegistryError) -> bool {
    matches!(error.fault(), Fault::Denied { status, .. } if *status == StatusCode::UNAUTHORIZED)
}

/// A list of the web API. Of its `next` only that there is one is taken.
pub(super) struct List {
    client: RegistryClient,
    api: Arc<WebApi>,
    subject: Subject,
    path: String,
    walk: Numbered,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct ListPage<T> {
    /// A text or `null`: with anything else nobody knows whether there is another page.
    #[serde(default)]
    next: Option<String>,
    results: Rows<T>,
}

impl List {
    pub(super) fn new(
        client: RegistryClient,
        api: Arc<WebApi>,
        subject: Subject,
        path: String,
        bound: usize,
    ) -> Self {
        Self {
            walk: Numbered::new(SIZES, client.limits().pages, bound),
            client,
            api,
            subject,
            path,
        }
    }

    /// The next page's rows that were on none before; `None` at the end.
    pub(super) async fn next<T: DeserializeOwned>(
        &mut self,
        name: impl Fn(&T) -> &str,
    ) -> Result<Option<Rows<T>>, RegistryError> {
        let Some((page, size)) = self.walk.next() else {
            return Ok(None);
        };
        let path = format!("{}?page_size={size}&page={page}", self.path);
        let page: ListPage<T> = self.api.get(&self.client, &self.subject, &path).await?;
        let mut rows = page.results;
        let total = rows.total();
        rows.good.retain(|row| self.walk.takes(name(row)));
        // A full page without a next one is the last: asking for more would be answered 404.
        let total = if page.next.is_some() {
            total
        } else {
            total.min(size - 1)
        };
        self.walk.turn(total, page.next.is_some());
        Ok(Some(rows))
    }

    /// An error if rows of a page cannot be read.
    pub(super) fn all_read<T>(&self, rows: &Rows<T>) -> Result<(), RegistryError> {
        rows.all_read()
            .map_err(|fault| self.client.error(self.subject.clone(), fault))
    }

    /// How the walk ended; `None` while it goes on.
    pub(super) fn end(&self) -> Option<WalkEnd> {
        self.walk.end()
    }
}
