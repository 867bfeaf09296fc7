//! Pushes over HTTP, as fast as a registry takes it.

use anyhow::{Context as _, ensure};
use portolan_doubles::{PrivateCa, SmallImage, TokenService};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// Pushes to one repository of one registry, with one token.
#[derive(Debug, Clone)]
pub struct Pusher {
    client: Client,
    registry: String,
    repository: String,
    token: String,
}

impl Pusher {
    /// With a token of `tokens` for this login, which must be allowed to push.
    pub async fn new(
        registry: &str,
        repository: &str,
        ca: &PrivateCa,
        tokens: &TokenService,
        (login, secret): (&str, &str),
    ) -> anyhow::Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .tls_backend_preconfigured(ca.client_config()?)
            .build()?;
        let scope = format!("repository:{repository}:pull,push,delete");
        let answer = client
            .get(tokens.realm())
            .query(&[("service", tokens.service()), ("scope", &scope)])
            .basic_auth(login, Some(secret))
            .send()
            .await?
            .error_for_status()?;
        let answer: Value = answer.json().await?;
        Ok(Self {
            client,
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            token: answer["token"].as_str().context("the token")?.to_owned(),
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/v2/{}/{path}", self.registry, self.repository);
        self.client.request(method, url).bearer_auth(&self.token)
    }

    /// Pushes an image and points a tag to it. Returns as soon as the registry has said that it has it.
    pub async fn push(&self, image: &SmallImage, tag: &str) -> anyhow::Result<()> {
        for (digest, bytes) in image.blobs() {
            let there = self
                .request(Method::HEAD, &format!("blobs/{digest}"))
                .send()
                .await?;
            if there.status() == StatusCode::OK {
                continue;
            }
            let begun = created(
                self.request(Method::POST, "blobs/uploads/").send().await?,
                StatusCode::ACCEPTED,
            )?;
            let to = begun.headers().get(LOCATION).context("where to upload to")?;
            let mut to: reqwest::Url = to.to_str()?.parse()?;
            to.query_pairs_mut().append_pair("digest", &digest.to_string());
            let upload = self.client.put(to).bearer_auth(&self.token).body(bytes.to_vec());
            created(upload.send().await?, StatusCode::CREATED)?;
        }
        let manifest = self
            .request(Method::PUT, &format!("manifests/{tag}"))
            .header(CONTENT_TYPE, SmallImage::MEDIA_TYPE)
            .body(image.manifest().to_vec());
        created(manifest.send().await?, StatusCode::CREATED)?;
        Ok(())
    }

    /// Deletes a manifest by its digest, or a tag where the registry can.
    pub async fn delete(&self, reference: &str) -> anyhow::Result<()> {
        let deleted = self
            .request(Method::DELETE, &format!("manifests/{reference}"))
            .send()
            .await?;
        created(deleted, StatusCode::ACCEPTED)?;
        Ok(())
    }
}

fn created(answer: Response, expected: StatusCode) -> anyhow::Result<Response> {
    ensure!(
        answer.status() == expected,
        "{} answered {}",
        answer.url(),
        answer.status()
    );
    Ok(answer)
}
