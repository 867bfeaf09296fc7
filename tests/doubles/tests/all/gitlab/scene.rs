//! A GitLab, and a client that asks it.

use portolan_doubles::web::{GitLab, GitLabBuilder, Mode};
use portolan_doubles::{Content, PrivateCa};
use portolan_shared::process::{Shutdown, SystemClock, Tasks};
use reqwest::{Client, Response};
use serde_json::Value;

use crate::client::{ACCEPT, client, header, json};

pub(super) const MANIFEST: &str = "sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae";
pub(super) const CONFIG: &str = "sha256:53335d84e97889dc5f00af1bffa104aeab44003305259f9c7ee02acfabf1b49c";
pub(super) const INDEX: &str = "sha256:d4e696df29e7087291c82501b60b3d013b3c6498a13b57cfc8b813bc5c642af8";
pub(super) const API: &str = "repository:acme/shop/api:pull";

pub(super) type Login = (&'static str, &'static str);

pub(super) struct Scene {
    pub(super) gitlab: GitLab,
    pub(super) client: Client,
}

/// What came back: status, `Link`, body.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) link: String,
    pub(super) body: Value,
}

impl Scene {
    pub(super) async fn new() -> Self {
        Self::of(GitLab::builder(Content::gitlab_fixture())).await
    }

    pub(super) async fn filesystem() -> Self {
        Self::of(GitLab::builder(Content::gitlab_fixture()).mode(Mode::Filesystem)).await
    }

    pub(super) async fn of(builder: GitLabBuilder) -> Self {
        let tasks = Tasks::new(Shutdown::new());
        // Both hosts speak plain HTTP here; reqwest wants a TLS configuration all the same.
        let ca = PrivateCa::new("Acme", &SystemClock).unwrap();
        let client = client(&ca, &[b"http/1.1"]);
        Self {
            gitlab: builder.start(None, &tasks).await.unwrap(),
            client,
        }
    }

    pub(super) async fn ask_token(&self, login: Option<Login>, scopes: &[&str]) -> Response {
        let mut query = vec![("service", "container_registry")];
        query.extend(scopes.iter().map(|scope| ("scope", *scope)));
        let mut request = self
            .client
            .get(format!("{}/jwt/auth", self.gitlab.web_url()))
            .query(&query);
        if let Some((login, secret)) = login {
            request = request.basic_auth(login, Some(secret));
        }
        request.send().await.unwrap()
    }

    pub(super) async fn token(&self, login: Login, scopes: &[&str]) -> String {
        let answer = json(self.ask_token(Some(login), scopes).await).await;
        answer["token"].as_str().unwrap().to_owned()
    }

    /// The scopes in a token that `login` is given.
    pub(super) async fn granted(&self, login: Login, scopes: &[&str]) -> Vec<String> {
        let token = self.token(login, scopes).await;
        let payload = token.split('.').nth(1).unwrap();
        let payload = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap();
        let claims: portolan_doubles::token::Claims = serde_json::from_slice(&payload).unwrap();
        claims
            .access
            .iter()
            .map(portolan_doubles::token::Access::to_scope)
            .collect()
    }

    /// A request to the registry with a token of `login` for what `scopes` says.
    pub(super) async fn registry(&self, login: Login, scopes: &[&str], path: &str) -> Response {
        let token = self.token(login, scopes).await;
        self.with_token(&token, path).await
    }

    pub(super) async fn with_token(&self, token: &str, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.gitlab.registry_url()));
        request
            .bearer_auth(token)
            .header("accept", ACCEPT)
            .send()
            .await
            .unwrap()
    }

    /// A request of the reader's to GitLab's own API of the registry.
    pub(super) async fn native(&self, path: &str) -> Got {
        let scopes = [API, "repository:acme/shop:pull", "repository:acme/shop/nope:pull"];
        got(self
            .registry(GitLab::FULL, &scopes, &format!("/gitlab/v1{path}"))
            .await)
        .await
    }

    /// A request to the REST API with a token in `PRIVATE-TOKEN`.
    pub(super) async fn rest(&self, login: Login, path: &str) -> Got {
        got(self.rest_raw(login, path).await).await
    }

    pub(super) async fn rest_raw(&self, (_, secret): Login, path: &str) -> Response {
        let request = self.client.get(format!("{}/api/v4{path}", self.gitlab.web_url()));
        request.header("private-token", secret).send().await.unwrap()
    }
}

pub(super) async fn got(response: Response) -> Got {
    Got {
        status: response.status().as_u16(),
        link: header(&response, "link"),
        body: serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default(),
    }
}

/// One member of each row.
pub(super) fn column(rows: &Value, name: &str) -> Vec<String> {
    let text = |row: &Value| match &row[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    rows.as_array().unwrap().iter().map(text).collect()
}
