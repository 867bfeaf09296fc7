//! A client that does as it is told and nothing more, and the usual set-up.

use std::time::Duration;

use portolan_doubles::tls::{Alpn, Leaf};
use portolan_doubles::token::{Account, TokenServiceBuilder};
use portolan_doubles::{PrivateCa, TokenService};
use portolan_shared::process::{Shutdown, SystemClock, Tasks};
use reqwest::{Client, Method, RequestBuilder, Response};

/// Everything that a client should accept.
pub(crate) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.v1+prettyjws, application/vnd.docker.distribution.manifest.v1+json";

pub(crate) const READER: (&str, &str) = ("reader", "glpat-AAAAAAAAAAAAAAAAAAAA");
pub(crate) const ADMIN: (&str, &str) = ("root", "glpat-EEEEEEEEEEEEEEEEEEEE");

pub(crate) struct Scene {
    pub(crate) tasks: Tasks,
    pub(crate) ca: PrivateCa,
    pub(crate) leaf: Leaf,
    pub(crate) client: Client,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let ca = PrivateCa::new("Acme", &SystemClock).unwrap();
        let leaf = ca.leaf(&["registry.acme.example"]).unwrap();
        let client = client(&ca, &[b"h2", b"http/1.1"]);
        Self {
            tasks: Tasks::new(Shutdown::new()),
            ca,
            leaf,
            client,
        }
    }

    pub(crate) fn tls(&self) -> Option<std::sync::Arc<rustls::ServerConfig>> {
        Some(self.leaf.server_config(Alpn::Both).unwrap())
    }

    /// Accounts of every sort.
    pub(crate) fn accounts() -> TokenServiceBuilder {
        TokenService::builder()
            .account(Account::new(READER.0, READER.1).reads(&["acme/shop", "acme/shop/**"]))
            .account(Account::new("reader", "glpat-CCCCCCCCCCCCCCCCCCCC").without_registry_scope())
            .account(
                Account::new("gitlab+deploy-token-1", "gldt-DDDDDDDDDDDDDDDDDDDD")
                    .reads(&["acme/shop", "acme/shop/**"])
                    .deploy_token(),
            )
            .account(Account::new(ADMIN.0, ADMIN.1).administrator())
            .public(&["acme/open"])
    }

    pub(crate) async fn tokens(&self) -> TokenService {
        Self::accounts().start(self.tls(), &self.tasks).await.unwrap()
    }

    pub(crate) fn get(&self, url: &str) -> RequestBuilder {
        self.client.get(url).header("accept", ACCEPT)
    }

    pub(crate) fn head(&self, url: &str) -> RequestBuilder {
        self.client.request(Method::HEAD, url).header("accept", ACCEPT)
    }

    /// A token for `login` with `scopes`.
    pub(crate) async fn token(&self, service: &TokenService, login: (&str, &str), scopes: &[&str]) -> String {
        let answer = self.ask_token(service, Some(login), scopes).await;
        json(answer).await["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn ask_token(
        &self,
        service: &TokenService,
        login: Option<(&str, &str)>,
        scopes: &[&str],
    ) -> Response {
        let mut query = vec![("service", "container_registry")];
        query.extend(scopes.iter().map(|scope| ("scope", *scope)));
        let mut request = self.client.get(service.realm()).query(&query);
        if let Some((login, secret)) = login {
            request = request.basic_auth(login, Some(secret));
        }
        request.send().await.unwrap()
    }
}

/// A client that trusts `ca`, offers these protocols and follows no redirect.
pub(crate) fn client(ca: &PrivateCa, protocols: &[&[u8]]) -> Client {
    let mut tls = ca.client_config().unwrap();
    tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

pub(crate) async fn json(response: Response) -> serde_json::Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

pub(crate) fn header(response: &Response, name: &str) -> String {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default()
}
