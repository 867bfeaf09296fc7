//! What is known of a registry, and what a run says of how it was read.

use portolan_shared::model::{
    CertificateFacts, Confidence, CoverageEntry, CredentialFacts, CredentialKind, Detection, Finding,
    FindingCode, Flavour, ListingMethod, ListingStep, RegistryFacts, RepositoryOutcome, limits,
};
use portolan_store::{KnownFacts, PageRequest, RegistryChange, RunClosing, Store};

use crate::site::{Site, at, commit_listed, name, whole};

fn facts() -> RegistryFacts {
    RegistryFacts {
        detection: Some(Detection::new(
            Flavour::Harbor,
            Confidence::High,
            &["realm ends in /service/token".to_owned()],
            Some("v2.12"),
        )),
        credential: Some(CredentialFacts {
            expires_at: Some(at(86_400)),
            ..CredentialFacts::of_kind(CredentialKind::ProjectRobot).owned_by("robot$acme+reader")
        }),
        certificates: vec![CertificateFacts {
            host: "registry.example.com:5050".to_owned(),
            subject: "CN=registry.example.com".to_owned(),
            expires_at: at(10 * 86_400),
        }],
        ..RegistryFacts::default()
    }
}

async fn close(store: &dyn Store, site: &Site, closing: RunClosing, seconds: i64) {
    let fence = site.start(store, seconds).await;
    store.close_run(&fence, &closing, at(seconds)).await.unwrap();
}

async fn known(store: &dyn Store, site: &Site) -> KnownFacts {
    let record = store.registry(site.tenant, site.registry).await.unwrap();
    record.unwrap().facts
}

/// One that failed sees less: what was known before stays, with its time.
pub async fn facts_are_kept_with_their_times(store: &dyn Store) {
    let site = Site::new(store).await;
    let read = RunClosing {
        facts: facts(),
        ..whole(0)
    };
    close(store, &site, read, 10).await;
    let first = known(store, &site).await;
    let credential = first.credential.clone().unwrap();
    assert_eq!(
        (Some(credential.fact), credential.at),
        (facts().credential, at(10))
    );
    let detection = RegistryFacts {
        detection: facts().detection,
        ..RegistryFacts::default()
    };
    let failed = RunClosing {
        failure: Some(Finding::new(FindingCode::AuthenticationFailed, "401")),
        facts: detection.clone(),
        ..RunClosing::default()
    };
    close(store, &site, failed, 20).await;
    let second = known(store, &site).await;
    assert_eq!(second.detection.unwrap().at, at(20));
    assert_eq!(second.credential, first.credential);
    let read = RunClosing {
        facts: detection,
        ..whole(0)
    };
    close(store, &site, read, 30).await;
    assert_eq!(known(store, &site).await.credential, None);
    close(store, &site, whole(0), 40).await;
    assert_eq!(
        known(store, &site).await.detection.unwrap().at,
        at(30),
        "nothing was said"
    );
}

/// They are of what was leased, not of what it has become meanwhile.
pub async fn facts_of_another_definition_are_not_kept(store: &dyn Store) {
    let site = Site::new(store).await;
    let read = || RunClosing {
        facts: facts(),
        ..whole(0)
    };
    close(store, &site, read(), 10).await;
    let anonymous = RegistryChange {
        credential: Some(None),
        ..RegistryChange::default()
    };
    site.set(store, anonymous).await;
    let left = known(store, &site).await;
    assert!(left.credential.is_none() && left.detection.is_some());
    let moved = RegistryChange {
        url: Some("https://elsewhere.example.com".parse().unwrap()),
        ..RegistryChange::default()
    };
    let fence = site.start(store, 20).await;
    site.set(store, moved).await;
    assert_eq!(known(store, &site).await, KnownFacts::default());
    store.close_run(&fence, &read(), at(21)).await.unwrap();
    assert_eq!(known(store, &site).await, KnownFacts::default());
}

/// In the order of the sensor.
pub async fn methods_of_listing_are_kept_with_the_account(store: &dyn Store) {
    let site = Site::new(store).await;
    let listings = vec![
        ListingStep {
            method: ListingMethod::GitLabV1,
            repositories: 0,
            given_up: 1,
            finding: Some(Finding::new(FindingCode::NativeApiRefused, "404").with_detail("a\nb")),
        },
        ListingStep {
            method: ListingMethod::TagsList,
            repositories: 1,
            given_up: 0,
            finding: None,
        },
    ];
    let fence = site.start(store, 10).await;
    commit_listed(store, &fence, "a", 11).await;
    let closing = RunClosing {
        listings: listings.clone(),
        ..whole(1)
    };
    store.close_run(&fence, &closing, at(12)).await.unwrap();
    let run = store.run(site.tenant, fence.attempt.run).await.unwrap().unwrap();
    assert_eq!(run.coverage.listings, listings);
}

/// Of so many repositories of a run; beyond, the first line of each still stands.
pub async fn findings_keep_their_further_lines_up_to_a_bound(store: &dyn Store) {
    let site = Site::new(store).await;
    let fence = site.start(store, 10).await;
    let entries: Vec<CoverageEntry> = (0..=limits::DETAILS_PER_RUN)
        .map(|number| CoverageEntry {
            repository: name(&format!("r{number:04}")),
            outcome: RepositoryOutcome::Failed,
            finding: Some(Finding::new(FindingCode::TlsUntrusted, "x").with_detail("chain:\n  CN=leaf")),
        })
        .collect();
    for part in entries.chunks(limits::COVERAGE_ENTRIES_PER_PAGE) {
        store.report_coverage(&fence, part, at(11)).await.unwrap();
    }
    let mut page = PageRequest {
        after: None,
        limit: 1_000,
    };
    let mut stored = Vec::new();
    loop {
        let found = store
            .run_coverage(site.tenant, fence.attempt.run, None, &page)
            .await
            .unwrap();
        stored.extend(found.items);
        let Some(next) = found.next else { break };
        page.after = Some(next);
    }
    let last = stored.len() - 1;
    assert_eq!(stored[..last], entries[..last]);
    let finding = stored[last].finding.clone().unwrap();
    assert_eq!((finding.seen.as_str(), finding.detail), ("x", None));
}
