//! Jobs: registry targets and progress.

use portolan_shared::model::{
    Budget, CaTrust, RegistryId, RegistryTarget, RepositoryGlobs, RunProgress, limits,
};

use super::field::{FieldError, id};
use crate::v1;

/// A registry target for the wire.
#[must_use]
pub fn target_to_wire(target: &RegistryTarget) -> v1::RegistryTarget {
    v1::RegistryTarget {
        registry_id: target.registry.as_bytes().to_vec().into(),
        url: target.url.to_string(),
        ca_bundle_pem: target.ca.bundle_pem.clone().unwrap_or_default(),
        only_ca_bundle: target.ca.only_bundle,
        repository_globs: target.repositories.as_slice().to_vec(),
        credential_reference: target
            .credential
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        concurrency: target.budget.concurrency.into(),
    }
}

/// A registry target from the wire.
pub fn target(wire: Option<&v1::RegistryTarget>) -> Result<RegistryTarget, FieldError> {
    let wire = wire.ok_or(FieldError::missing("registry"))?;
    if wire.ca_bundle_pem.len() > limits::CA_BUNDLE_BYTES {
        return Err(FieldError::new("registry.ca_bundle_pem", "is too large"));
    }
    let credential = match wire.credential_reference.as_str() {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|why: String| FieldError::new("registry.credential_reference", why))?,
        ),
    };
    let concurrency = u16::try_from(wire.concurrency)
        .unwrap_or(u16::MAX)
        .clamp(1, Budget::MAX_CONCURRENCY);
    Ok(RegistryTarget {
        registry: id("registry.registry_id", &wire.registry_id, RegistryId::from_slice)?,
        url: wire
            .url
            .parse()
            .map_err(|error| FieldError::new("registry.url", error))?,
        ca: CaTrust {
            bundle_pem: Some(wire.ca_bundle_pem.clone()).filter(|pem| !pem.is_empty()),
            only_bundle: wire.only_ca_bundle,
        },
        repositories: RepositoryGlobs::new(wire.repository_globs.clone())
            .map_err(|error| FieldError::new("registry.repository_globs", error))?,
        credential,
        budget: Budget { concurrency },
    })
}

/// Progress for the wire, on a session.
#[must_use]
pub fn progress_to_wire(
    attempt: portolan_shared::model::AttemptRef,
    progress: &RunProgress,
) -> v1::JobProgress {
    v1::JobProgress {
        attempt: Some(attempt.into()),
        ..final_progress_to_wire(progress)
    }
}

/// Progress for the wire, at the close of a run.
#[must_use]
pub fn final_progress_to_wire(progress: &RunProgress) -> v1::JobProgress {
    v1::JobProgress {
        attempt: None,
        repositories_total: progress.repositories_total,
        repositories_done: progress.repositories_done,
        tags: progress.tags,
        manifests: progress.manifests,
        requests: progress.requests,
        bytes_up: progress.bytes_up,
        discovered: progress.discovered,
    }
}

/// Progress from the wire.
#[must_use]
pub fn progress(wire: &v1::JobProgress) -> RunProgress {
    RunProgress {
        repositories_total: wire.repositories_total,
        repositories_done: wire.repositories_done,
        tags: wire.tags,
        manifests: wire.manifests,
        requests: wire.requests,
        bytes_up: wire.bytes_up,
        discovered: wire.discovered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::{AttemptRef, RunId};
    use portolan_shared::process::SeededRng;
    use prost::Message as _;

    #[test]
    fn progress_round_trips() {
        let whole = RunProgress {
            repositories_total: 1,
            repositories_done: 2,
            tags: 3,
            manifests: 4,
            requests: 5,
            bytes_up: 6,
            discovered: true,
        };
        let attempt = AttemptRef {
            run: RunId::random(&SeededRng::new(1)),
            attempt: 7,
        };
        let on_session = progress_to_wire(attempt, &whole);
        assert_eq!(on_session.attempt, Some(attempt.into()));
        let at_close = final_progress_to_wire(&whole);
        assert_eq!(at_close.attempt, None);
        assert_eq!((progress(&on_session), progress(&at_close)), (whole, whole));
    }

    #[test]
    fn a_job_at_every_bound_fits_into_one_message() {
        let name = "r".repeat(limits::REPOSITORY_BYTES);
        let rng = SeededRng::new(1);
        let target = RegistryTarget {
            registry: RegistryId::random(&rng),
            url: format!("https://{}.example/{}", "h".repeat(60), "p".repeat(1_000))
                .parse()
                .unwrap(),
            ca: CaTrust {
                bundle_pem: Some("x".repeat(limits::CA_BUNDLE_BYTES)),
                only_bundle: true,
            },
            repositories: RepositoryGlobs::new(vec![name.clone(); limits::REPOSITORY_GLOBS]).unwrap(),
            credential: Some(format!("file:/{}", "c".repeat(4_000)).parse().unwrap()),
            budget: Budget::default(),
        };
        let attempt = AttemptRef {
            run: RunId::random(&rng),
            attempt: u32::MAX,
        };
        let job = v1::SyncJob {
            repositories: vec![name; limits::RUN_SCOPE_REPOSITORIES],
        };
        let offer = v1::JobOffer {
            attempt: Some(attempt.into()),
            lease_ms: u32::MAX,
            registry: Some(target_to_wire(&target)),
            resumed: true,
            job: Some(v1::job_offer::Job::Sync(job)),
        };
        let body = Some(v1::control_message::Body::JobOffer(offer));
        let message = v1::ControlMessage { seq: u64::MAX, body };
        assert!(
            message.encoded_len() <= limits::SESSION_MESSAGE_BYTES,
            "{}",
            message.encoded_len()
        );
        let Some(v1::control_message::Body::JobOffer(offer)) = message.body else {
            unreachable!()
        };
        assert_eq!(self::target(offer.registry.as_ref()), Ok(target));
    }
}
