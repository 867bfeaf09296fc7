//! Whether repositories can be found, and the tags of one listed.

use http::HeaderValue;
use http::header::LINK;
use portolan_shared::model::{
    DiscoveryMethod, DiscoveryStep, Finding, FindingCode, RepositoryName, Severity,
};
use url::Url;

use super::examination::Examination;
use super::notes::Notes;
use crate::auth::Scope;
use crate::client::Request;
use crate::flavour::{Ladder, Wanted};
use crate::http::Reply;

/// Pages of names that are read while none of them is wanted.
const PAGES: usize = 20;
/// Further pages that are read to see whether that was all.
const FURTHER_PAGES: usize = 2;
/// Repositories that are looked at until one has tags.
const CANDIDATES: usize = 5;
/// Tags of it that are looked at until one can be read.
const TAGS: usize = 3;

impl Examination {
    /// Finds the first few repositories.
    pub(super) async fn discovery(&mut self, notes: &mut Notes) {
        let Some(registry) = self.registry.clone() else {
            return notes.skip("the registry could not be opened");
        };
        let named = self.question.repository.clone();
        let wanted = Wanted {
            patterns: self.question.patterns.clone(),
            names: named.iter().cloned().collect(),
        };
        let mut ladder = registry.repositories(&wanted);
        let mut ended = false;
        for _ in 0..PAGES {
            match ladder.next_page().await {
                Ok(Some(names)) => self.consider(names, named.is_some()),
                Ok(None) => {
                    ended = true;
                    break;
                }
                Err(error) => {
                    steps(&ladder, notes);
                    notes.find(self.explained(&error).await);
                    return notes.fail();
                }
            }
            if !self.candidates.is_empty() {
                break;
            }
        }
        if !ended && named.is_none() {
            ended = self.sees_the_end(&mut ladder).await;
        }
        if let Some(name) = &named {
            steps(&ladder, notes);
            return notes.see(format!("{name} was named: nothing has to be discovered"));
        }
        notes.see(view(&ladder, ended));
        steps(&ladder, notes);
        self.judge_discovery(&ladder, ended, notes);
        for aside in ladder.passed().into_iter().flat_map(|passed| passed.asides) {
            notes.find(aside);
        }
    }

    /// Whether little enough comes behind what was read that its end can be seen, and so whether that was all.
    async fn sees_the_end(&mut self, ladder: &mut Ladder) -> bool {
        for _ in 0..FURTHER_PAGES {
            match ladder.next_page().await {
                Ok(Some(names)) => self.consider(names, false),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    fn consider(&mut self, names: Vec<RepositoryName>, named: bool) {
        for name in names {
            let is_wanted = named || self.question.patterns.matches(&name);
            let is_allowed = self.question.allowed.matches(&name);
            if is_wanted && is_allowed && self.candidates.len() < CANDIDATES {
                self.candidates.push(name);
            }
        }
    }

    fn judge_discovery(&self, ladder: &Ladder, ended: bool, notes: &mut Notes) {
        let host = self.name();
        let found: u64 = ladder.steps().iter().map(|step| step.found).sum();
        if found == 0 && ended {
            return self.nothing_found(ladder, notes);
        }
        for finding in ladder.steps().iter().filter_map(as_borne) {
            if finding.code.severity() == Severity::Error {
                // Another way gave what this one did not.
                notes.bear();
            }
            notes.find(finding);
        }
        if ended && !ladder.is_complete() {
            let seen = format!("{host}: {found} repositories, and no way that shows all of them");
            notes.find(Finding::new(FindingCode::ViewIsPartial, &seen));
        }
        if self.candidates.is_empty() {
            let seen = format!("{host}: none of {found} repositories is wanted");
            if ended {
                notes.find(Finding::new(FindingCode::FilterMatchesNothing, &seen));
            } else {
                notes.see(seen);
            }
        }
    }

    fn nothing_found(&self, ladder: &Ladder, notes: &mut Notes) {
        let host = self.name();
        let findings: Vec<Finding> = ladder
            .steps()
            .iter()
            .rev()
            .filter_map(|step| step.finding.clone())
            .collect();
        if findings.is_empty() {
            let is_empty = ladder.steps().iter().any(|step| step.complete);
            let (code, what) = if is_empty {
                (FindingCode::NothingVisible, "not one repository")
            } else {
                (
                    FindingCode::CatalogUnsupported,
                    "this product shows nobody a catalog",
                )
            };
            notes.find(Finding::new(code, &format!("{host}: {what}")));
        }
        // The last way says what it all came to.
        for finding in findings {
            notes.find(finding);
        }
    }

    /// Whether links to further pages name another place than the one that was asked: they are followed here all the same.
    async fn wrong_links(&self, repository: &RepositoryName) -> Option<Finding> {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        let client = self.client.as_ref()?;
        let path = format!("{repository}/tags/list");
        let scope = Scope::Pull(repository.clone());
        // The smallest page: with two tags there is a link.
        let request = Request {
            query: Some("n=1"),
            listing: true,
            ..Request::get(&path, JSON, &scope, client.limits().list_bytes)
        };
        let reply = client.send(request).await.ok()?;
        let link = link_of(&reply)?;
        let host = link.host_str()?;
        if reply.elsewhere || self.origin.is_of(&link) {
            return None;
        }
        let seen = format!("{}: its links name {}://{host}", self.name(), link.scheme());
        Some(Finding::new(FindingCode::ForwardedHeaders, &seen))
    }

    /// The name of the login that a repository is read with, if there is a choice.
    async fn one_of_several(&self, repository: &RepositoryName) -> Option<String> {
        let chosen = self.client.as_ref()?.login_entry(Some(repository)).await;
        let entry = chosen.ok().flatten()?;
        (entry.of > 1).then_some(entry.name)
    }

    /// Lists the tags of the first repository that has some.
    pub(super) async fn tag_list(&mut self, notes: &mut Notes) {
        let Some(registry) = self.registry.clone() else {
            return notes.skip("the registry could not be opened");
        };
        if self.candidates.is_empty() {
            return notes.skip("there is no repository to look at");
        }
        let mut failed = 0;
        for repository in std::mem::take(&mut self.candidates) {
            let mut list = registry.tags(&repository);
            let before = self.before_tags();
            match list.next_page().await {
                Ok(Some(page)) => {
                    if page.malformed > 0 {
                        let seen = format!("{repository}: {} names that are no tags", page.malformed);
                        notes.find(Finding::new(FindingCode::NameMalformed, &seen));
                    }
                    let (count, method) = (page.tags.len(), list.method());
                    notes.see(format!(
                        "{repository}: {count} tags on the first page, by {method}"
                    ));
                    if let Some(entry) = self.one_of_several(&repository).await {
                        notes.see(format!("{repository}: read with the login of the entry {entry}"));
                    }
                    if let Some(finding) = self.token_life(&repository, &page.tags, before) {
                        notes.find(finding);
                    }
                    if count > 0 {
                        let mut tags = page.tags;
                        tags.truncate(TAGS);
                        self.tags = Some((repository, tags));
                        break;
                    }
                }
                Ok(None) => {
                    if let Some(finding) = list.shortfall() {
                        notes.find(finding);
                    }
                    notes.see(format!("{repository}: no tags"));
                }
                Err(error) => {
                    failed += 1;
                    let finding = self.explained(&error).await;
                    notes.see(finding.seen.clone());
                    notes.find(finding);
                    if error.concerns_whole_registry() {
                        break;
                    }
                }
            }
        }
        for step in registry.listings() {
            if let Some(finding) = step.finding {
                notes.see(format!("{} was refused: {}", step.method, finding.seen));
                notes.find(Finding::new(FindingCode::NativeApiRefused, &finding.seen));
            }
        }
        match &self.tags {
            Some((repository, _)) => {
                if let Some(finding) = self.wrong_links(repository).await {
                    notes.find(finding);
                }
                for advice in registry.advisories(repository).await {
                    notes.find(advice);
                }
            }
            None if failed > 0 => notes.fail(),
            None => {}
        }
    }
}

/// The link to a further page, as it is written.
fn link_of(reply: &Reply) -> Option<Url> {
    let text = reply.headers.get(LINK)?.to_str().ok()?;
    let (_, rest) = text.split_once('<')?;
    let (target, _) = rest.split_once('>')?;
    // Relative links are as they should be.
    Url::parse(target).ok()
}

/// What the credential can see, by which ways, and whether that is all.
fn view(ladder: &Ladder, ended: bool) -> String {
    let steps = ladder.steps();
    let found: u64 = steps.iter().map(|step| step.found).sum();
    let by: Vec<&str> = steps
        .iter()
        .filter(|step| step.found > 0)
        .map(|step| step.method.as_str())
        .collect();
    let by = if by.is_empty() {
        String::new()
    } else {
        format!(" by {}", by.join(" and "))
    };
    let rest = match (ended, ladder.is_complete()) {
        (false, _) => "not walked to its end: the first are enough here",
        (true, true) => "all that this way shows to the credential",
        (true, false) => "there may be more, which no way that is open to the credential shows",
    };
    format!("{found} repositories{by}: {rest}")
}

fn steps(ladder: &Ladder, notes: &mut Notes) {
    let passed = ladder.passed();
    for step in ladder.steps() {
        let outcome = match &step.finding {
            Some(finding) => format!(" ({}: {})", finding.code, finding.seen),
            None => String::new(),
        };
        notes.see(format!("{}: {} repositories{outcome}", step.method, step.found));
        let views = passed.iter().filter(|passed| passed.method == step.method);
        for view in views.filter_map(|passed| passed.view.as_ref()) {
            notes.see(format!("    of {view}"));
        }
    }
}

/// What a method that failed is worth once another one has worked.
fn as_borne(step: &DiscoveryStep) -> Option<Finding> {
    let finding = step.finding.as_ref()?;
    let is_native = !matches!(step.method, DiscoveryMethod::Catalog | DiscoveryMethod::Explicit);
    let is_refused = matches!(
        finding.code,
        FindingCode::Denied | FindingCode::AuthenticationFailed | FindingCode::RepositoryMissing
    );
    Some(if is_native && is_refused {
        Finding::new(FindingCode::NativeApiRefused, &finding.seen)
    } else {
        finding.clone()
    })
}
