//! Registries as they are to be read.

use std::num::{NonZeroU16, NonZeroU32};

use portolan_shared::model::{
    Budget, CaTrust, NamePatterns, RegistryId, RegistryTarget, RepositoryPatterns, TagFilter, limits,
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
        repository_patterns: target.repositories.as_slice().to_vec(),
        credential_reference: target
            .credential
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        concurrency: target.budget.concurrency.into(),
        tag_patterns: target.tags.names.as_slice().to_vec(),
        newest_tags: target.tags.newest.map_or(0, NonZeroU32::get),
        max_tag_age_days: target.tags.max_age_days.map_or(0, NonZeroU32::get),
        per_second: target.budget.per_second.map_or(0, |bound| bound.get().into()),
        per_day: target.budget.per_day.map_or(0, NonZeroU32::get),
        requests_left: target.requests_left,
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
    let repositories = RepositoryPatterns::new(wire.repository_patterns.clone())
        .map_err(|error| FieldError::new("registry.repository_patterns", error))?;
    let tags = TagFilter {
        names: NamePatterns::new(wire.tag_patterns.clone())
            .map_err(|error| FieldError::new("registry.tag_patterns", error))?,
        newest: NonZeroU32::new(wire.newest_tags),
        max_age_days: NonZeroU32::new(wire.max_tag_age_days),
    };
    let together = repositories.names().check_beside(&tags.names);
    together.map_err(|error| FieldError::new("registry.tag_patterns", error))?;
    let per_second = NonZeroU16::new(u16::try_from(wire.per_second).unwrap_or(u16::MAX));
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
        repositories,
        tags,
        credential,
        budget: Budget {
            concurrency,
            per_second,
            per_day: NonZeroU32::new(wire.per_day),
        },
        requests_left: wire.requests_left,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::{AttemptRef, RunId};
    use portolan_shared::process::SeededRng;
    use prost::Message as _;

    #[test]
    fn a_job_at_every_bound_fits_into_one_message() {
        let name = "r".repeat(limits::REPOSITORY_BYTES);
        let pattern = "p".repeat(limits::PATTERNS_BYTES / limits::NAME_PATTERNS / 2);
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
            repositories: RepositoryPatterns::new(vec![pattern.clone(); limits::NAME_PATTERNS]).unwrap(),
            tags: TagFilter {
                names: NamePatterns::new(vec![pattern; limits::NAME_PATTERNS]).unwrap(),
                newest: NonZeroU32::new(u32::MAX),
                max_age_days: NonZeroU32::new(u32::MAX),
            },
            requests_left: Some(u64::MAX),
            credential: Some(format!("file:/{}", "c".repeat(4_000)).parse().unwrap()),
            budget: Budget {
                concurrency: Budget::MAX_CONCURRENCY,
                per_second: NonZeroU16::new(u16::MAX),
                per_day: NonZeroU32::new(u32::MAX),
            },
        };
        let attempt = AttemptRef {
            run: RunId::random(&rng),
            attempt: u32::MAX,
        };
        let reference = v1::TagReference {
            repository: name.clone(),
            tag: "t".repeat(128),
        };
        let job = v1::SyncJob {
            repositories: vec![name; limits::RUN_SCOPE_REPOSITORIES],
            references: vec![reference; limits::RUN_SCOPE_REFERENCES],
        };
        let offer = v1::JobOffer {
            attempt: Some(attempt.into()),
            lease_ms: u32::MAX,
            registry: Some(target_to_wire(&target)),
            resumed: true,
            look: true,
            credential: Some(v1::SealedCredential {
                binding: vec![1; limits::BINDING_BYTES].into(),
                payload: vec![2; limits::SEALED_PAYLOAD_BYTES].into(),
                wrap: vec![3; limits::WRAP_BYTES].into(),
            }),
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
