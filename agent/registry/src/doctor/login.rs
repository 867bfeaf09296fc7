//! The token, and what it grants.

use http::StatusCode;
use portolan_shared::model::{CredentialFacts, Finding, FindingCode, RepositoryName, limits};

use super::chain::days_left;
use super::claims::Claims;
use super::examination::Examination;
use super::notes::Notes;
use super::root::named;
use crate::api::Login;
use crate::auth::{LoginEntry, Scope};
use crate::client::RegistryClient;
use crate::error::{Fault, Subject};

/// Clocks that are further apart than so many seconds are worth a word: tokens are accepted for no longer beyond their end.
const SKEW: u64 = 60;

impl Examination {
    /// Shows the login, once, and asks the product what it thinks of it.
    pub(super) async fn token(&mut self, notes: &mut Notes) {
        let (Some(client), Some(mut registry)) = (self.client.clone(), self.registry.take()) else {
            return notes.skip("the registry could not be opened");
        };
        let has_login = match client.has_login().await {
            Ok(has_login) => has_login,
            Err(fault) => {
                notes.fail();
                return notes.find(client.error(Subject::Api, fault).finding());
            }
        };
        let outcome = registry.log_in().await;
        let detection = registry.detection().clone();
        if self.facts.detection.as_ref() != Some(&detection) {
            // Some products say who they are only to those whom they know.
            notes.see(format!("known now: {}", named(&detection)));
        }
        self.facts.detection = Some(detection);
        if let Some((_, finding)) = self.skew() {
            notes.find(finding);
        }
        match outcome {
            Ok(_) if !has_login => {
                notes.see("no credential was given: asked as a stranger");
                self.registry = Some(registry);
                return;
            }
            Ok(true) if *registry.login() == Login::NotAsked => notes.see("nobody asks for the credential"),
            Ok(true) => notes.see("the credential is accepted"),
            Ok(false) => notes.see("the credential is known, and may not see the API's root"),
            Err(error) => {
                notes.find(error.finding());
                notes.fail();
            }
        }
        self.entries(&client, notes).await;
        self.ending_certificates(notes);
        if !notes.has_error() {
            match registry.credential().await {
                Ok(facts) => self.describe(facts, notes),
                Err(error) => notes.find(registry.explain(&error).await),
            }
            for remark in registry.remarks().await {
                notes.find(remark);
            }
        }
        self.registry = Some(registry);
    }

    /// Says under which names the logins were found, where their source has several: that for the registry as such, and that for the
    /// repository that was asked about.
    async fn entries(&self, client: &RegistryClient, notes: &mut Notes) {
        let whole = client.login_entry(None).await.ok().flatten();
        if let Some(entry) = &whole {
            notes.see(chosen(entry));
        }
        if let Some(repository) = &self.question.repository
            && let Ok(Some(entry)) = client.login_entry(Some(repository)).await
            && Some(&entry) != whole.as_ref()
        {
            notes.see(format!(
                "{repository} has a login of its own, that of the entry {}",
                entry.name
            ));
        }
    }

    fn describe(&mut self, facts: Option<CredentialFacts>, notes: &mut Notes) {
        let Some(facts) = facts else { return };
        let owner = facts
            .owner
            .as_ref()
            .map_or_else(String::new, |owner| format!(" of {owner}"));
        notes.see(format!("{}{owner}", facts.kind.as_str().replace('_', " ")));
        if !facts.scopes.is_empty() {
            notes.see(format!("for {}", facts.scopes.join(", ")));
        }
        if let Some(end) = facts.expires_at {
            let left = days_left(self.access.clock.now(), end);
            notes.see(format!("valid until {end} ({left} days left)"));
            if left <= limits::EXPIRES_SOON_DAYS {
                let seen = format!(
                    "{}: the credential is valid until {end}, {left} days",
                    self.name()
                );
                notes.find(Finding::new(FindingCode::CredentialExpiresSoon, &seen));
            }
        }
        self.facts.credential = Some(facts);
    }

    /// What the token grants, by its own word.
    pub(super) async fn scopes(&mut self, notes: &mut Notes) {
        let (Some(client), Some(registry)) = (self.client.clone(), &self.registry) else {
            return notes.skip("the registry could not be opened");
        };
        if !matches!(registry.login(), Login::Bearer { .. }) {
            return notes.skip("no tokens here: what the credential may do shows where it is used");
        }
        if let Some(repository) = self.question.repository.clone() {
            let scope = Scope::Pull(repository.clone());
            let Some(claims) = self.claims(&client, &scope, notes).await else {
                return;
            };
            let name = repository.as_str();
            notes.see(format!("{name}: {}", claims.actions_on("repository", name)));
            if !claims.grants("repository", name, "pull") {
                notes.find(self.not_granted(&client, &repository).await);
            }
            return issued(&claims, notes);
        }
        if let Some(claims) = self.claims(&client, &Scope::Catalog, notes).await {
            notes.see(format!("catalog: {}", claims.actions_on("registry", "catalog")));
            issued(&claims, notes);
        }
    }

    /// What it means that a token grants nothing on a repository, in the product's terms where there are any.
    async fn not_granted(&self, client: &RegistryClient, repository: &RepositoryName) -> Finding {
        let fault = Fault::Denied {
            status: StatusCode::UNAUTHORIZED,
            code: None,
        };
        let error = client.error(Subject::Tags(repository.clone()), fault);
        let finding = self.explained(&error).await;
        if finding.code != FindingCode::Denied {
            return finding;
        }
        let seen = format!("{}: the token grants nothing on {repository}", self.name());
        Finding::new(FindingCode::Denied, &seen)
    }

    /// What a token for this says of itself; what there is to say instead goes to the notes.
    async fn claims(&self, client: &RegistryClient, scope: &Scope, notes: &mut Notes) -> Option<Claims> {
        match client.authorization(scope).await {
            Ok(Some(header)) => {
                let claims = Claims::of(&header);
                if claims.is_none() {
                    notes.see("the token is one that only its issuer can read");
                }
                claims
            }
            Ok(None) => {
                notes.see("no token is needed for this");
                None
            }
            Err(fault) => {
                // The catalog is for few; a repository that was named is what all this is about.
                notes.see(format!("{}: {fault}", scope.text()));
                if matches!(scope, Scope::Pull(_)) {
                    let error = client.error(Subject::Api, fault);
                    notes.find(self.explained(&error).await);
                }
                None
            }
        }
    }

    /// How far the registry's clock is from ours, and what that is worth if it is too far.
    pub(super) fn skew(&self) -> Option<(String, Finding)> {
        let seconds = self.client.as_ref()?.clock_skew()?.as_secs();
        if seconds.unsigned_abs() <= SKEW {
            return None;
        }
        let side = if seconds > 0 { "ahead of" } else { "behind" };
        let seen = format!("its clock is {} s {side} this machine's", seconds.unsigned_abs());
        let finding = Finding::new(FindingCode::ClockSkew, &format!("{}: {seen}", self.name()));
        Some((seen, finding))
    }
}

/// Which of several logins is that for the registry as such.
fn chosen(entry: &LoginEntry) -> String {
    let LoginEntry { name, is_for_all, of } = entry;
    let which = match (of, is_for_all) {
        (1, true) => String::new(),
        (1, false) => ", which is for a part of the registry, and the only one".to_owned(),
        (_, true) => format!(", one of {of}: repositories below the paths of the others are read with those"),
        (_, false) => {
            format!(
                ", one of {of}, none of which is for the whole registry: that with the shortest path stands in"
            )
        }
    };
    format!("the login is that of the entry {name}{which}")
}

/// To whom a token was issued, and for how long.
fn issued(claims: &Claims, notes: &mut Notes) {
    let whose = claims.subject.as_deref().unwrap_or("nobody by name");
    let kind = claims
        .auth_type
        .as_ref()
        .map_or_else(String::new, |kind| format!(" ({kind})"));
    notes.see(format!("issued to {whose}{kind}"));
    if let Some(life) = claims.life {
        notes.see(format!("lives {life} s"));
    }
}
