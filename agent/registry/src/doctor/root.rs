//! The API's root as a stranger meets it, the product behind it, and how it wants to be asked.

use std::sync::Arc;

use portolan_shared::model::{Detection, FindingCode};
use url::Url;

use super::examination::Examination;
use super::notes::Notes;
use crate::api::Login;
use crate::auth::{absolute_realm, may_have_login};
use crate::client::RegistryClient;
use crate::error::Fault;
use crate::flavour::Registry;
use crate::http::{Origin, Purpose, Refused};

/// What registries call themselves (`Docker-Distribution-Api-Version`).
const USUAL: &str = "registry/2.0";

impl Examination {
    /// `GET /v2/` as a stranger.
    pub(super) async fn api(&mut self, notes: &mut Notes) {
        let client = match RegistryClient::within(self.access.clone(), Arc::clone(&self.allowance)) {
            Ok(client) => client,
            Err(error) => {
                notes.fail();
                return notes.find(error.finding());
            }
        };
        self.client = Some(client.clone());
        let registry = match Registry::recognise(client).await {
            Ok(registry) => registry,
            Err(error) => {
                let is_known = matches!(
                    error.fault(),
                    Fault::WebAddress {
                        registry: Some(_),
                        ..
                    }
                );
                let finding = error.finding();
                let is_elsewhere = matches!(
                    finding.code,
                    FindingCode::ApiMissing
                        | FindingCode::WebPage
                        | FindingCode::GitLabWebAddress
                        | FindingCode::Protocol
                        | FindingCode::Denied
                );
                notes.find(finding);
                notes.fail();
                if is_elsewhere && !is_known {
                    self.suggest_elsewhere(notes).await;
                }
                return;
            }
        };
        let greeting = registry.greeting();
        notes.see(format!("GET /v2/ answers {}", greeting.status().as_u16()));
        // Never as it came: only whether it is the one that everybody sends.
        match greeting.header("docker-distribution-api-version").as_deref() {
            Some(USUAL) => notes.see(format!("it calls itself {USUAL}")),
            Some(_) => notes.see(format!("it does not call itself {USUAL}, but something else")),
            None => {}
        }
        if let Some(skew) = self.skew() {
            notes.see(skew.0);
        }
        self.registry = Some(registry);
    }

    /// Which product answers, and by what it was recognised.
    pub(super) fn flavour_of(&mut self, notes: &mut Notes) {
        let Some(registry) = &self.registry else {
            return notes.skip("the registry could not be opened");
        };
        let detection = registry.detection().clone();
        notes.see(named(&detection));
        for sign in &detection.evidence {
            notes.see(sign);
        }
        self.facts.detection = Some(detection);
    }

    /// How the registry wants to be asked, and whether a login may be sent there.
    pub(super) async fn challenge(&mut self, notes: &mut Notes) {
        let (Some(client), Some(registry)) = (&self.client, &self.registry) else {
            return notes.skip("the registry could not be opened");
        };
        // Whether there is one at all: what is wrong with it shows in the next stage.
        let has_login = client.has_login().await.unwrap_or(true);
        match registry.login() {
            Login::NotAsked => notes.see("nobody is asked who he is"),
            Login::Basic => {
                notes.see("asks for user name and password (Basic)");
                if has_login && !self.origin.https {
                    notes.see("the password would travel in clear: this is http");
                }
            }
            Login::Bearer { realm, service } => {
                let service = service.as_deref().unwrap_or("no name");
                let place = absolute_realm(realm, registry.greeting().url()).map_or_else(
                    |_| "a token service whose address cannot be read".to_owned(),
                    |realm| place_of(&realm),
                );
                notes.see(format!("asks for a token of {place} (service {service})"));
                if let Err(fault) = self.admits(realm, has_login) {
                    notes.find(self.finding(fault));
                } else if has_login {
                    notes.see("the login may be sent there");
                }
            }
        }
    }

    /// Whether the token service may be asked, and with the login if there is one. Nothing is sent.
    fn admits(&self, realm: &str, has_login: bool) -> Result<(), Fault> {
        let Some(registry) = &self.registry else {
            return Ok(());
        };
        let realm = absolute_realm(realm, registry.greeting().url())?;
        if has_login {
            may_have_login(&self.origin, &realm, &self.guard)?;
        }
        let Some(origin) = Origin::of(&realm) else {
            return Ok(());
        };
        let hop = origin.hop(Purpose::Realm);
        self.guard
            .check_host(&hop, hop.literal())
            .map_err(|refused| match refused {
                Refused::Host(refusal) => Fault::Policy {
                    host: origin.host.clone(),
                    port: origin.port,
                    purpose: Purpose::Realm,
                    rule: refusal.rule,
                },
                Refused::Address(address, refusal) => Fault::Address {
                    address,
                    rule: refusal.rule,
                },
            })
    }
}

/// Where a URL of the server's leads, without what it may hold beside that: neither a login nor a query, either of which can be a secret.
pub(super) fn place_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("no host");
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

/// A product in a few words.
pub(super) fn named(detection: &Detection) -> String {
    let version = detection
        .version
        .as_ref()
        .map_or_else(String::new, |version| format!(" {version}"));
    format!(
        "{}{version}, confidence {}",
        detection.flavour, detection.confidence
    )
}
