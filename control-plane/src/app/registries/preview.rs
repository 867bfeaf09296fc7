//! What other filters would match of the inventory, before they are saved.
//!
//! Nothing is asked of the registry and nothing is changed. Tags are read in groups of repositories, so that the memory that this takes does not grow
//! with the registry.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use portolan_shared::model::{
    Finding, FindingCode, RegistryId, RepositoryName, RepositoryPatterns, TagFilter,
};
use portolan_store::{PageRequest, RepositoryFilter, Role, TagObservation};
use tokio::sync::Semaphore;

use super::input::{RegistryPatch, check_patterns};
use crate::app::{App, AppError, Caller};

/// Repositories that are named in a preview, those of which most is left out; the others are counted.
pub const LEFT_OUT_SHOWN: usize = 100;
/// Tags that are read at once, as far as they are of several repositories.
const GROUP: u64 = 20_000;
/// Repositories in a page, and in one group at most.
const PAGE: u16 = 1_000;
/// Previews at the same time: each holds a group of tags in memory and keeps a processor busy. Further ones wait, at most as long as a
/// request may take.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// What other filters would match of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    /// When the inventory was last seen completely.
    pub last_success_at: Option<Timestamp>,
    /// Repositories that are wanted by the present patterns and by the new ones.
    pub kept: u64,
    /// Repositories that are wanted now and would be left out.
    pub left_out: u64,
    /// Repositories that the present patterns leave out and the new ones want, as far as they are known from earlier.
    pub taken_in: u64,
    /// Repositories that neither want, as far as they are known from earlier.
    pub unwanted: u64,
    /// Tags of the wanted repositories that the new filter wants.
    pub tags_kept: u64,
    /// Tags of the wanted repositories that it leaves out.
    pub tags_left_out: u64,
    /// Tags in the repositories that would be left out.
    pub tags_in_left_out: u64,
    /// Tags that are kept because it is not known when they were pushed.
    pub times_unknown: u64,
    /// The repositories of which most tags are left out, at most [`LEFT_OUT_SHOWN`].
    pub repositories: Vec<PreviewedRepository>,
    /// What is worth knowing of the new filters.
    pub findings: Vec<Finding>,
}

/// What would become of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepositoryFate {
    /// It stays wanted.
    Kept,
    /// It would be left out.
    LeftOut,
    /// It would be wanted again.
    TakenIn,
}

/// One repository in a preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewedRepository {
    /// Which.
    pub name: RepositoryName,
    /// What would become of it.
    pub fate: RepositoryFate,
    /// Tags that would be kept.
    pub kept: u64,
    /// Tags that would be left out.
    pub left_out: u64,
    /// Tags that are kept because it is not known when they were pushed.
    pub times_unknown: u64,
}

impl App {
    /// What a registry's filters would match of its inventory if they were changed like this. Changes nothing; of the patch, what is not
    /// about filters has no effect.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for patterns that could not be saved.
    pub async fn preview_registry(
        &self,
        caller: &Caller,
        name_or_id: &str,
        patch: &RegistryPatch,
    ) -> Result<Preview, AppError> {
        caller.require(Role::Viewer)?;
        let current = self.registry(caller, name_or_id).await?;
        let present = &current.registry.repositories;
        let patterns = patch.repositories.as_ref().unwrap_or(present);
        let tags = patch
            .tag_filter(&current)
            .unwrap_or_else(|| current.registry.tags.clone());
        check_patterns(patterns, &tags)?;
        // It is never closed.
        let _turn = AT_ONCE.acquire().await;
        let mut walk = Walk {
            app: self,
            caller,
            registry: current.registry.id,
            tags: Arc::new(tags),
            now: self.clock.now(),
            preview: Preview {
                last_success_at: current.last_success_at,
                ..Preview::default()
            },
        };
        walk.through(present, patterns).await?;
        Ok(walk.preview.concluded())
    }
}

/// A way through the inventory of a registry.
struct Walk<'a> {
    app: &'a App,
    caller: &'a Caller,
    registry: RegistryId,
    tags: Arc<TagFilter>,
    now: Timestamp,
    preview: Preview,
}

/// A wanted repository whose tags are to be judged.
struct Wanted {
    name: RepositoryName,
    fate: RepositoryFate,
}

impl Walk<'_> {
    async fn through(
        &mut self,
        present: &RepositoryPatterns,
        new: &RepositoryPatterns,
    ) -> Result<(), AppError> {
        let filter = RepositoryFilter {
            registry: Some(self.registry),
            ..RepositoryFilter::default()
        };
        let mut request = PageRequest {
            after: None,
            limit: PAGE,
        };
        loop {
            let page = self
                .app
                .store
                .repositories(self.caller.tenant, &filter, &request)
                .await?;
            let (mut group, mut tags) = (Vec::new(), 0);
            for record in page.items {
                let fate = match (present.matches(&record.name), new.matches(&record.name)) {
                    (true, true) => RepositoryFate::Kept,
                    (true, false) => RepositoryFate::LeftOut,
                    (false, true) => RepositoryFate::TakenIn,
                    (false, false) => {
                        self.preview.unwanted += 1;
                        continue;
                    }
                };
                if fate == RepositoryFate::LeftOut || self.tags.is_all() {
                    self.preview.count(whole(record.name, fate, record.tags));
                    continue;
                }
                if tags > 0 && tags + record.tags > GROUP {
                    self.judge(std::mem::take(&mut group)).await?;
                    tags = 0;
                }
                tags += record.tags;
                group.push(Wanted {
                    name: record.name,
                    fate,
                });
            }
            self.judge(group).await?;
            let Some(next) = page.next else {
                return Ok(());
            };
            request.after = Some(next);
        }
    }

    /// Reads the tags of a group and judges them, off the reactor: a hundred thousand take longer than it may stand still.
    async fn judge(&mut self, group: Vec<Wanted>) -> Result<(), AppError> {
        if group.is_empty() {
            return Ok(());
        }
        let names: Vec<RepositoryName> = group.iter().map(|wanted| wanted.name.clone()).collect();
        let sets = self
            .app
            .store
            .tag_sets(self.caller.tenant, self.registry, &names)
            .await?;
        let (filter, now) = (Arc::clone(&self.tags), self.now);
        let judged = tokio::task::spawn_blocking(move || {
            let judged = group.into_iter().zip(sets);
            judged
                .map(|(wanted, tags)| judged_by(&filter, wanted, tags, now))
                .collect::<Vec<_>>()
        });
        for repository in judged
            .await
            .map_err(|error| AppError::Internal(Box::new(error)))?
        {
            self.preview.count(repository);
        }
        Ok(())
    }
}

/// A repository whose tags share its fate.
fn whole(name: RepositoryName, fate: RepositoryFate, tags: u64) -> PreviewedRepository {
    let (kept, left_out) = if fate == RepositoryFate::LeftOut {
        (0, tags)
    } else {
        (tags, 0)
    };
    PreviewedRepository {
        name,
        fate,
        kept,
        left_out,
        times_unknown: 0,
    }
}

fn judged_by(
    filter: &TagFilter,
    wanted: Wanted,
    mut tags: Vec<TagObservation>,
    now: Timestamp,
) -> PreviewedRepository {
    let left_out = filter.select(&mut tags, now);
    PreviewedRepository {
        name: wanted.name,
        fate: wanted.fate,
        kept: tags.len() as u64,
        left_out: left_out.tags.len() as u64,
        times_unknown: left_out.times_unknown as u64,
    }
}

impl Preview {
    fn count(&mut self, repository: PreviewedRepository) {
        match repository.fate {
            RepositoryFate::Kept => self.kept += 1,
            RepositoryFate::TakenIn => self.taken_in += 1,
            RepositoryFate::LeftOut => {
                self.left_out += 1;
                self.tags_in_left_out += repository.left_out;
            }
        }
        if repository.fate != RepositoryFate::LeftOut {
            self.tags_kept += repository.kept;
            self.tags_left_out += repository.left_out;
            self.times_unknown += repository.times_unknown;
            if repository.left_out == 0 {
                return;
            }
        }
        self.repositories.push(repository);
        if self.repositories.len() > 2 * LEFT_OUT_SHOWN {
            self.cut();
        }
    }

    /// Keeps those of which most is left out.
    fn cut(&mut self) {
        self.repositories.sort_by(|left, right| {
            let key = |repository: &PreviewedRepository| Reverse(repository.left_out);
            key(left)
                .cmp(&key(right))
                .then_with(|| left.name.cmp(&right.name))
        });
        self.repositories.truncate(LEFT_OUT_SHOWN);
    }

    fn concluded(mut self) -> Self {
        self.cut();
        let was_wanted = self.kept + self.left_out;
        if was_wanted > 0 && (self.kept + self.taken_in == 0 || self.tags_kept == 0 && self.tags_left_out > 0)
        {
            let seen = format!(
                "of {was_wanted} repositories {} would be wanted, with {} tags",
                self.kept + self.taken_in,
                self.tags_kept
            );
            self.findings
                .push(Finding::new(FindingCode::FilterMatchesNothing, &seen));
        }
        if self.times_unknown > 0 {
            let seen = format!(
                "of {} tags it is not known when they were pushed: they are kept",
                self.times_unknown
            );
            self.findings
                .push(Finding::new(FindingCode::FilterTimesUnknown, &seen));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_which_most_is_left_out_are_named_and_the_rest_is_counted() {
        let mut preview = Preview::default();
        let all = 5 * LEFT_OUT_SHOWN;
        for number in 0..all {
            let name = format!("r{number:04}").parse().unwrap();
            preview.count(whole(name, RepositoryFate::LeftOut, number as u64));
            assert!(preview.repositories.len() <= 2 * LEFT_OUT_SHOWN);
        }
        let preview = preview.concluded();
        assert_eq!(preview.left_out, all as u64);
        assert_eq!(preview.repositories.len(), LEFT_OUT_SHOWN);
        assert_eq!(preview.repositories[0].left_out, all as u64 - 1);
        assert_eq!(
            preview.repositories[LEFT_OUT_SHOWN - 1].left_out,
            (all - LEFT_OUT_SHOWN) as u64
        );
        assert_eq!(preview.findings[0].code, FindingCode::FilterMatchesNothing);
    }
}
