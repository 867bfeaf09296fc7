//! What is on the instance beside images.

use std::collections::BTreeMap;

use portolan_shared::model::RepositoryName;

use super::credential::{Credential, Standing};
use super::project::{Project, RegistryAccess, Visibility};
use crate::content::Content;
use crate::token::Account;

/// The number of the first project, and of the first group, that are made for repositories without one.
const MADE: u64 = 1_001;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: u64,
    /// Its path with all groups above it.
    pub path: String,
}

/// Projects, groups and credentials.
#[derive(Debug, Clone, Default)]
pub struct Instance {
    /// The projects, by ascending number.
    pub projects: Vec<Project>,
    /// The groups, by ascending number.
    pub groups: Vec<Group>,
    /// The credentials; the first with a secret wins.
    pub credentials: Vec<Credential>,
    /// Paths that projects had before, and the number of each. Only the REST API still knows them.
    pub former: BTreeMap<String, u64>,
    repository_ids: BTreeMap<RepositoryName, u64>,
}

/// An image repository as the REST API sees it.
pub(super) struct Found<'a> {
    pub(super) id: u64,
    pub(super) path: &'a RepositoryName,
    pub(super) project: &'a Project,
}

impl Instance {
    /// The project with this path, to change.
    ///
    /// # Panics
    /// When there is none.
    pub fn project(&mut self, path: &str) -> &mut Project {
        let found = self.projects.iter_mut().find(|project| project.path == path);
        found.expect("the test's project exists")
    }

    /// The credential with this secret, to change.
    ///
    /// # Panics
    /// When there is none.
    pub fn credential(&mut self, secret: &str) -> &mut Credential {
        let mut all = self.credentials.iter_mut();
        let found = all.find(|credential| credential.secret == secret);
        found.expect("the test's credential exists")
    }

    /// Makes a private project of two path elements, and a group, for every repository that has none.
    pub(super) fn cover(&mut self, content: &Content) {
        let mut paths: BTreeMap<String, ()> = self
            .projects
            .iter()
            .map(|project| (project.image_path(), ()))
            .collect();
        for name in content.repositories().keys() {
            let mut elements = name.as_str().splitn(3, '/');
            let (Some(group), Some(project), None) =
                (elements.next(), elements.next(), longest(&paths, name.as_str()))
            else {
                continue;
            };
            let id = self.projects.last().map_or(MADE, |last| MADE.max(last.id + 1));
            let path = format!("{group}/{project}");
            self.projects.push(Project::new(id, &path));
            paths.insert(path, ());
            if !self.groups.iter().any(|known| known.path == group) {
                let id = self.groups.last().map_or(MADE, |last| MADE.max(last.id + 1));
                self.groups.push(Group {
                    id,
                    path: group.to_owned(),
                });
            }
        }
    }

    fn by_path(&self) -> BTreeMap<String, &Project> {
        self.projects
            .iter()
            .map(|project| (project.image_path(), project))
            .collect()
    }

    /// The project with this number or path.
    pub(super) fn find_project(&self, id: &str) -> Option<&Project> {
        let number = id.parse::<u64>().ok();
        let mut all = self.projects.iter();
        all.find(|project| Some(project.id) == number || project.path.eq_ignore_ascii_case(id))
    }

    /// Moves the project with this path to another; its images stay where they are.
    ///
    /// # Panics
    /// When there is none.
    pub fn move_project(&mut self, from: &str, to: &str) {
        let project = self.project(from);
        project.path = to.to_owned();
        let id = project.id;
        self.former.insert(from.to_owned(), id);
    }

    /// The project that had this path before.
    pub(super) fn find_former(&self, path: &str) -> Option<&Project> {
        let id = self.former.get(path)?;
        self.projects.iter().find(|project| project.id == *id)
    }

    /// The group with this number or path.
    pub(super) fn find_group(&self, id: &str) -> Option<&Group> {
        let number = id.parse::<u64>().ok();
        let mut all = self.groups.iter();
        all.find(|group| Some(group.id) == number || group.path.eq_ignore_ascii_case(id))
    }

    /// Whether `project` is in `group` or a group below it.
    pub(super) fn contains(group: &Group, project: &Project) -> bool {
        let rest = project.path.strip_prefix(&group.path);
        rest.is_some_and(|rest| rest.starts_with('/'))
    }

    /// Numbers repositories that have none yet, by the number of their project and their path.
    pub(super) fn number(&mut self, content: &Content) {
        let projects = self.by_path();
        let mut new: Vec<(u64, &RepositoryName)> = content
            .repositories()
            .keys()
            .filter(|name| !self.repository_ids.contains_key(name.as_str()))
            .filter_map(|name| Some((longest(&projects, name.as_str())?.id, name)))
            .collect();
        new.sort_unstable();
        let first = self.repository_ids.values().max().map_or(1, |last| last + 1);
        self.repository_ids
            .extend(new.into_iter().map(|(_, name)| name.clone()).zip(first..));
    }

    /// The repositories of the projects that satisfy `wanted`, by ascending number.
    pub(super) fn repositories<'a>(
        &'a self,
        content: &Content,
        wanted: impl Fn(&Project) -> bool,
    ) -> Vec<Found<'a>> {
        let projects = self.by_path();
        let there = self
            .repository_ids
            .iter()
            .filter(|(path, _)| content.repository(path.as_str()).is_some());
        let mut found: Vec<Found<'a>> = there
            .filter_map(|(path, id)| {
                let project = *longest(&projects, path.as_str())?;
                wanted(project).then_some(Found {
                    id: *id,
                    path,
                    project,
                })
            })
            .collect();
        found.sort_unstable_by_key(|found| found.id);
        found
    }

    /// Whom the token service lets in.
    pub(super) fn accounts(&self) -> Vec<Account> {
        let accounts = self
            .credentials
            .iter()
            .map(|credential| credential.account(&self.projects));
        accounts.flatten().collect()
    }

    /// The paths of the projects whose images everyone may read.
    pub(super) fn public(&self) -> impl Iterator<Item = String> {
        let open = |project: &&Project| {
            project.visibility == Visibility::Public
                && project.registry == RegistryAccess::Enabled
                && project.takes_images()
        };
        self.projects.iter().filter(open).map(Project::image_path)
    }

    /// The credential with this secret, and whether it still counts.
    pub(super) fn known(&self, secret: &str) -> Option<(&Credential, Standing)> {
        let mut all = self.credentials.iter();
        all.find(|credential| credential.secret == secret)
            .map(|credential| (credential, credential.standing))
    }
}

/// What stands for the longest path that `repository` is at or below.
fn longest<'a, T>(paths: &'a BTreeMap<String, T>, repository: &str) -> Option<&'a T> {
    let parents = repository.rmatch_indices('/').map(|(at, _)| &repository[..at]);
    [repository]
        .into_iter()
        .chain(parents)
        .find_map(|path| paths.get(path))
}
