//! What an offer is about, or why nobody looks at it.

use std::sync::Arc;

use portolan_proto::convert::target;
use portolan_proto::v1;
use portolan_shared::model::{
    AttemptRef, Finding, FindingCode, Reason, RegistryTarget, Scope, TagReference, limits,
};

use crate::credentials::{SealedLogin, SealedVault};
use crate::jobs::{JobRefusal, SyncJob};

/// Refuses what no registry job can be: a scheme that is not HTTP, a login in the URL, no host.
const URL_RULE: &str = "policy:url";

/// An offer that this build cannot read.
pub(super) fn unreadable(why: &str) -> JobRefusal {
    JobRefusal {
        reason: Reason::Unsupported,
        rule: String::new(),
        finding: Finding::new(FindingCode::Internal, why),
    }
}

/// Nothing is taken on at present.
pub(super) fn not_now(reason: Reason) -> JobRefusal {
    let why = match reason {
        Reason::Draining => "the sensor is stopping",
        _ => "the sensor cannot store its state",
    };
    JobRefusal {
        reason,
        rule: String::new(),
        finding: Finding::new(FindingCode::Internal, why),
    }
}

/// The registry of an offer. A URL that names none is refused by the policy: what it would lead to is nothing that a file could allow.
pub(super) fn offered_target(wire: Option<&v1::RegistryTarget>) -> Result<RegistryTarget, JobRefusal> {
    target(wire).map_err(|error| match error.field {
        "registry.url" => JobRefusal {
            reason: Reason::Policy,
            rule: URL_RULE.to_owned(),
            // The error never repeats the text: what stands in a URL may be a secret.
            finding: Finding::new(FindingCode::PolicyRefused, &format!("{URL_RULE}: {}", error.why)),
        },
        _ => unreadable(&error.to_string()),
    })
}

/// The login of an offer, if a sealed one came with it. It stands in the place of the registry's reference.
pub(super) fn offered_login(
    vault: &SealedVault,
    wire: Option<&v1::SealedCredential>,
    target: &RegistryTarget,
) -> Result<Option<Arc<SealedLogin>>, JobRefusal> {
    let taken = wire.map(|wire| vault.take(wire, target)).transpose();
    taken.map_err(|refused| refused.refusal(&target.url))
}

fn reference(wire: &v1::TagReference) -> Result<TagReference, JobRefusal> {
    let unreadable = |error| unreadable(&format!("a tag of the job: {error}"));
    Ok(TagReference {
        repository: wire.repository.parse().map_err(unreadable)?,
        tag: wire.tag.parse().map_err(unreadable)?,
    })
}

/// The job of an offer.
pub(super) fn offered_job(offer: &v1::JobOffer) -> Result<SyncJob, JobRefusal> {
    let attempt = offer
        .attempt
        .as_ref()
        .ok_or_else(|| unreadable("the offer names no attempt"))?;
    let attempt: AttemptRef = attempt
        .try_into()
        .map_err(|error| unreadable(&format!("{error}")))?;
    let target = offered_target(offer.registry.as_ref())?;
    let sync = match &offer.job {
        Some(v1::job_offer::Job::Sync(sync)) => sync,
        None => return Err(unreadable("this kind of job is not known")),
    };
    let repositories = sync
        .repositories
        .iter()
        .map(|name| {
            name.parse()
                .map_err(|error| unreadable(&format!("a repository of the job: {error}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if repositories.len() > limits::RUN_SCOPE_REPOSITORIES
        || sync.references.len() > limits::RUN_SCOPE_REFERENCES
    {
        return Err(unreadable("the job is narrowed to too many repositories or tags"));
    }
    let references = sync.references.iter().map(reference).collect::<Result<_, _>>()?;
    Ok(SyncJob {
        attempt,
        target,
        login: None,
        scope: Scope {
            repositories,
            references,
        }
        .normal(),
        resumed: offer.resumed,
        look: offer.look,
    })
}
