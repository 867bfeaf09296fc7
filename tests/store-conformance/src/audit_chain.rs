//! The audit log as a chain, its checkpoints, and where the sensors' own logs stand.

use portolan_shared::audit::{
    AuditHash, AuditHead, ChainOwner, ChainVerifier, Checkpoint, LinkedRecord, SignedCheckpoint,
};
use portolan_shared::model::TenantId;
use portolan_store::{
    KEPT_CHECKPOINTS, KnownSensorLog, PageRequest, SensorHead, SensorHeadOutcome, SensorLeads,
    SensorLogProblem, SensorLogStep, Store,
};

use crate::site::{Site, at, entries, note, tenant};

/// The whole log, read in small pages.
async fn whole(store: &dyn Store, tenant: TenantId) -> Vec<LinkedRecord<String>> {
    let mut records: Vec<LinkedRecord<String>> = Vec::new();
    loop {
        let after = records.last().map_or(0, |last| last.record.seq);
        let page = store.audit_range(tenant, after, 3).await.unwrap();
        if page.is_empty() {
            return records;
        }
        records.extend(page);
    }
}

/// What changes bring and what is appended by itself stand in one chain; the head is that of the last record.
pub async fn the_log_is_a_chain_from_its_first_record_on(store: &dyn Store) {
    let empty = tenant(store).await;
    let genesis = ChainOwner::Tenant(empty).genesis();
    assert_eq!(store.audit_head(empty).await.unwrap(), genesis);
    let site = Site::new(store).await;
    let mut entry = note();
    for text in ["", "one", "\u{fc}\n\0\"", "1"] {
        entry.object = text.to_owned();
        entry.details = serde_json::json!({"b": text, "a": [1, 1.5, null]});
        store.append_audit(site.tenant, &entry).await.unwrap();
    }
    let records = whole(store, site.tenant).await;
    assert_eq!(records.len() as u64, entries(store, site.tenant).await);
    let head = store.audit_head(site.tenant).await.unwrap();
    let verified = ChainVerifier::new(ChainOwner::Tenant(site.tenant))
        .through(head)
        .verify(records.clone());
    assert_eq!(verified, Ok(head));
    let foreign = ChainVerifier::new(ChainOwner::Tenant(empty)).verify(records);
    assert_eq!(foreign.unwrap_err().seq, 1, "bound to its tenant");
}

/// A log is due again once it has grown; a checkpoint at the same record is kept as it is.
pub async fn checkpoints_come_newest_first_and_a_log_is_due_until_it_has_one(store: &dyn Store) {
    let tenant = tenant(store).await;
    let owner = ChainOwner::Tenant(tenant);
    let due = async || {
        let due = store.uncheckpointed_audits().await.unwrap();
        due.into_iter()
            .find_map(|(of, head)| (of == tenant).then_some(head))
    };
    assert_eq!(due().await, None, "an empty log needs none");
    for i in 1..=3 {
        store.append_audit(tenant, &note()).await.unwrap();
        let head = store.audit_head(tenant).await.unwrap();
        assert_eq!(due().await, Some(head));
        let signed = SignedCheckpoint {
            checkpoint: Checkpoint::of(owner, &head, at(i)),
            signature: vec![7; 64],
            key: vec![8; 32],
        };
        store.add_audit_checkpoint(tenant, &signed).await.unwrap();
        let other = SignedCheckpoint {
            checkpoint: Checkpoint::of(owner, &head, at(99)),
            ..signed.clone()
        };
        store.add_audit_checkpoint(tenant, &other).await.unwrap();
        assert_eq!(due().await, None);
        let page = PageRequest {
            after: None,
            limit: 2,
        };
        let listed = store.audit_checkpoints(tenant, &page).await.unwrap();
        assert_eq!(listed.items[0], signed);
    }
    let all = store
        .audit_checkpoints(tenant, &PageRequest::first())
        .await
        .unwrap();
    let seqs: Vec<u64> = all.items.iter().map(|signed| signed.checkpoint.seq).collect();
    assert_eq!(seqs, [3, 2, 1]);
    const { assert!(KEPT_CHECKPOINTS > 3) };
}

/// Going on is fine if it is shown; going back, being another, and refusing a checkpoint are written down, each time and with what was known.
pub async fn a_sensor_whose_log_does_not_go_on_is_noted_each_time(store: &dyn Store) {
    let site = Site::new(store).await;
    let digest = |byte: u8| AuditHash([byte; 32]);
    let known = AuditHead {
        seq: 3,
        hash: digest(3),
    };
    let on = |digests: &[u8]| known.after(&digests.iter().copied().map(digest).collect::<Vec<_>>());
    let leads = |after, digests: Option<&[u8]>| {
        let digests = digests.map(|digests| digests.iter().copied().map(digest).collect());
        Some(SensorLeads { after, digests })
    };
    let entry = |problem: &SensorLogProblem| {
        let mut entry = note();
        entry.details = serde_json::json!({"problem": problem.problem, "known": problem.known});
        Some(entry)
    };
    let before = entries(store, site.tenant).await;
    let five = on(&[4, 5]);
    let other = AuditHead {
        seq: 9,
        hash: digest(9),
    };
    let cut = AuditHead {
        seq: 6,
        hash: digest(6),
    };
    for (step, (head, leads, refused, kept, noted)) in [
        (known, None, None, known, 0),
        (known, None, None, known, 0),
        // It has grown, and has to show how.
        (five, None, None, known, 0),
        (five, leads(2, Some(&[4, 5])), None, known, 0),
        (five, leads(3, Some(&[4])), None, on(&[4]), 0),
        (five, leads(4, Some(&[5])), None, five, 0),
        // It has grown, by records that do not lead from what was known; or is told to be another.
        (on(&[4, 5, 6]), leads(5, Some(&[7])), None, on(&[4, 5, 6]), 1),
        (
            on(&[4, 5, 6, 7]),
            leads(6, Some(&[7, 8])),
            None,
            on(&[4, 5, 6, 7]),
            2,
        ),
        (other, leads(7, None), None, other, 3),
        // Cut; and cut again.
        (cut, None, None, cut, 4),
        (known, None, None, known, 5),
        (on(&[1]), leads(3, Some(&[1])), Some(3), on(&[1]), 6),
        (on(&[1]), None, Some(3), on(&[1]), 6),
        (on(&[1]), None, Some(4), on(&[1]), 7),
    ]
    .into_iter()
    .enumerate()
    {
        let said = SensorHead { head, leads, refused };
        let recorded = store.record_sensor_head(site.tenant, site.sensor, &said, at(20), &entry);
        let (_, now) = recorded.await.unwrap();
        assert_eq!(now, kept, "step {step}");
        assert_eq!(entries(store, site.tenant).await - before, noted, "step {step}");
    }
    // Where it cannot be told now, it is later.
    let back = SensorHead {
        head: AuditHead {
            seq: 2,
            hash: digest(2),
        },
        leads: None,
        refused: None,
    };
    let silent = store.record_sensor_head(site.tenant, site.sensor, &back, at(20), &|_| None);
    assert_eq!(silent.await.unwrap(), (SensorHeadOutcome::Backwards, on(&[1])));
    let told = store.record_sensor_head(site.tenant, site.sensor, &back, at(20), &entry);
    assert_eq!(told.await.unwrap(), (SensorHeadOutcome::Backwards, back.head));
    assert_eq!(entries(store, site.tenant).await - before, 8);
}

/// Many at once; each from where its log is known to stand, and from nowhere else.
pub async fn logs_of_sensors_go_on_from_where_they_are_known_to_stand(store: &dyn Store) {
    let site = Site::new(store).await;
    let (other, _) = crate::site::sensor(store, site.tenant, "beside").await;
    let head = |seq, byte: u8| AuditHead {
        seq,
        hash: AuditHash([byte; 32]),
    };
    let step = |sensor, from, to| SensorLogStep {
        tenant: site.tenant,
        sensor,
        from,
        to,
        at: at(20),
    };
    let known = async |sensor| {
        let log = store.sensor_log(site.tenant, sensor).await.unwrap();
        log.map(|log: KnownSensorLog| log.head)
    };
    assert_eq!(known(site.sensor).await, None);
    let extend = async |steps: &[SensorLogStep]| store.extend_sensor_logs(steps).await.unwrap();
    extend(&[]).await;
    let (first, second) = (head(3, 3), head(7, 7));
    extend(&[step(site.sensor, None, first), step(other, None, second)]).await;
    assert_eq!(
        (known(site.sensor).await, known(other).await),
        (Some(first), Some(second))
    );
    let on = head(5, 5);
    extend(&[
        step(site.sensor, Some(first), on),
        step(other, Some(head(7, 8)), head(9, 9)),
    ])
    .await;
    assert_eq!(
        (known(site.sensor).await, known(other).await),
        (Some(on), Some(second)),
        "not from another history"
    );
    for late in [None, Some(first), Some(head(6, 5))] {
        extend(&[step(site.sensor, late, head(8, 8))]).await;
        assert_eq!(
            known(site.sensor).await,
            Some(on),
            "somebody knows better than {late:?}"
        );
    }
    let stranger = SensorLogStep {
        tenant: tenant(store).await,
        ..step(site.sensor, Some(on), head(8, 8))
    };
    extend(&[stranger]).await;
    assert_eq!(known(site.sensor).await, Some(on));
    // What was told of it stays with it.
    let cut = SensorHead {
        head: first,
        leads: None,
        refused: Some(2),
    };
    let told = store.record_sensor_head(site.tenant, site.sensor, &cut, at(21), &|_| Some(note()));
    assert_eq!(told.await.unwrap(), (SensorHeadOutcome::Backwards, first));
    extend(&[step(site.sensor, Some(first), on)]).await;
    let log = store.sensor_log(site.tenant, site.sensor).await.unwrap().unwrap();
    assert_eq!(log.head, on);
    assert!(log.problem.unwrap().contains("at record 2"));
}
