//! Who asks the REST API, and whether they may.

use http::{HeaderMap, header};

use super::answers::{self, Refused};
use super::credential::{Credential, Kind, Standing};
use super::instance::Instance;
use super::project::{Project, RegistryAccess, Visibility};

/// The scopes that let a token read.
const READS: [&str; 2] = ["api", "read_api"];

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Caller<'a> {
    Anonymous,
    Known(&'a Credential),
}

impl<'a> Caller<'a> {
    /// Takes the credential out of a request's headers. Which kinds count depends on the header that they come in.
    pub(super) fn of(headers: &HeaderMap, instance: &'a Instance) -> Result<Self, Refused> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text(header::AUTHORIZATION.as_str())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token);
        let access_token = |kind| matches!(kind, Kind::Personal | Kind::Project | Kind::Group);
        let (secret, counts): (_, &dyn Fn(Kind) -> bool) = if let Some(secret) = text("private-token") {
            (secret, &access_token)
        } else if let Some(secret) = bearer {
            (secret, &|kind| access_token(kind) || kind == Kind::OAuth)
        } else if let Some(secret) = text("job-token") {
            (secret, &|kind| kind == Kind::Job)
        } else {
            return Ok(Self::Anonymous);
        };
        match instance
            .known(secret)
            .filter(|(credential, _)| counts(credential.kind))
        {
            None => Err(answers::unauthorized()),
            Some((_, Standing::Expired)) => Err(answers::expired()),
            Some((_, Standing::Revoked)) => Err(answers::revoked()),
            Some((credential, Standing::Active)) => Ok(Self::Known(credential)),
        }
    }

    /// The credential, whatever its scopes.
    pub(super) fn credential(self) -> Result<&'a Credential, Refused> {
        match self {
            Self::Anonymous => Err(answers::unauthorized()),
            Self::Known(credential) => Ok(credential),
        }
    }

    /// Refuses a token without one of `scopes`; a job's has none and needs none.
    pub(super) fn with_one_of(self, scopes: &[&str]) -> Result<Self, Refused> {
        match self {
            Self::Known(credential) if credential.kind != Kind::Job && !credential.has_one_of(scopes) => {
                Err(answers::insufficient_scope(scopes))
            }
            Self::Known(_) | Self::Anonymous => Ok(self),
        }
    }

    /// Refuses a token that may not read.
    pub(super) fn reading(self) -> Result<Self, Refused> {
        self.with_one_of(&READS)
    }

    pub(super) fn is_member(self, project: &Project) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Known(credential) => credential.is_member(project.id),
        }
    }

    /// The role in a project; 0 for none.
    pub(super) fn role(self, project: &Project) -> u8 {
        match self {
            Self::Known(credential) if credential.administrator => 60,
            Self::Known(credential) if credential.is_member(project.id) => credential.role,
            Self::Known(_) | Self::Anonymous => 0,
        }
    }

    pub(super) fn sees(self, project: &Project) -> bool {
        match self {
            Self::Anonymous => project.visibility == Visibility::Public,
            Self::Known(credential) if credential.kind == Kind::Job => credential.is_member(project.id),
            Self::Known(credential) => credential.sees(project),
        }
    }

    pub(super) fn reads_images(self, project: &Project) -> bool {
        match self {
            Self::Anonymous => {
                project.visibility == Visibility::Public && project.registry == RegistryAccess::Enabled
            }
            Self::Known(credential) => self.sees(project) && credential.reads(project),
        }
    }

    /// The project with this number or path, if it exists for the caller.
    pub(super) fn project(self, instance: &'a Instance, id: &str) -> Result<&'a Project, Refused> {
        let found = instance.find_project(id).filter(|project| self.sees(project));
        found.ok_or_else(|| answers::not_found("Project"))
    }

    /// The same, if the caller may read its images.
    pub(super) fn project_with_images(
        self,
        instance: &'a Instance,
        id: &str,
    ) -> Result<&'a Project, Refused> {
        let project = self.project(instance, id)?;
        if self.reads_images(project) {
            Ok(project)
        } else {
            Err(answers::forbidden())
        }
    }
}
