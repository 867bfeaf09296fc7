//! GitLab as a whole: the web host with its token service and its REST API, and the registry host beside it, both over one content.
//!
//! [`GitLab`] starts the two; what is on the instance ([`Instance`]: projects, groups, credentials) and how its web host behaves
//! ([`Switches`]) can be changed while it runs. The path after `/api/v4` decides which file answers.
//!
//! Sources: GitLab's REST API and its documentation, `JwtController`, and the container registry authentication service. Where the
//! documentation and the code differ, the code is followed.

mod answers;
mod caller;
mod credential;
mod gate;
mod gitlab;
mod groups;
mod host;
mod instance;
mod metadata;
mod paging;
mod project;
mod projects;
mod repositories;
mod rules;
mod standard;
mod switches;
mod tags;
mod tokens;

pub use credential::{Credential, Kind, Reach, Standing};
pub use gitlab::{GitLab, GitLabBuilder, Mode};
pub use host::GitLabWeb;
pub use instance::{Group, Instance};
pub use project::{Project, RegistryAccess, Visibility};
pub use switches::{FormerPaths, RateLimit, Switches};
