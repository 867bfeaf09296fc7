//! T47 on the control plane's table: whatever is done to it by hand is named.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::PathBuf;

use portolan_shared::audit::{AuditHead, ChainFault, ChainFaultKind, ChainOwner, ChainVerifier};
use portolan_shared::model::TenantId;
use portolan_store::sqlite::SqliteStore;
use portolan_store::{Audit as _, PageRequest};
use portolan_store_conformance::{Site, note};
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

struct Log {
    store: SqliteStore,
    tenant: TenantId,
    path: PathBuf,
    seen: AuditHead,
    _folder: TempDir,
}

impl Log {
    /// A log of ten records, of which somebody outside knows the head.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portolan.db");
        let store = SqliteStore::open(&path).await.unwrap();
        let tenant = Site::new(&store).await.tenant;
        loop {
            let seen = store.audit_head(tenant).await.unwrap();
            if seen.seq == 10 {
                return Self {
                    store,
                    tenant,
                    path,
                    seen,
                    _folder: folder,
                };
            }
            store.append_audit(tenant, &note()).await.unwrap();
        }
    }

    /// Does something to the database behind the store's back.
    async fn tamper(&self, statement: &'static str) {
        let url = format!("sqlite://{}", self.path.display());
        let mut raw = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(statement)
            .bind(self.tenant.as_bytes().as_slice())
            .execute(&mut raw)
            .await
            .unwrap();
        raw.close().await.unwrap();
    }

    async fn verify(&self) -> Result<AuditHead, ChainFault> {
        let records = self
            .store
            .audit_range(self.tenant, 0, PageRequest::MAX)
            .await
            .unwrap();
        ChainVerifier::new(ChainOwner::Tenant(self.tenant))
            .through(self.store.audit_head(self.tenant).await.unwrap())
            .through(self.seen)
            .verify(records)
    }
}

#[tokio::test]
async fn t47_rows_deleted_altered_exchanged_or_cut_off_are_named() {
    use ChainFaultKind::{Altered, Gap, Rewritten, Truncated, Unlinked};
    let cases = [
        ("DELETE FROM audit WHERE tenant_id = ?1 AND seq = 4", 4, Gap),
        ("DELETE FROM audit WHERE tenant_id = ?1 AND seq = 1", 1, Gap),
        (
            "UPDATE audit SET actor = 'token:other' WHERE tenant_id = ?1 AND seq = 5",
            5,
            Altered,
        ),
        (
            "UPDATE audit SET at = at + 1 WHERE tenant_id = ?1 AND seq = 10",
            10,
            Altered,
        ),
        (
            "UPDATE audit SET details = '{\"a\": 1}' WHERE tenant_id = ?1 AND seq = 6",
            6,
            Altered,
        ),
        (
            "UPDATE audit SET severity = iif(severity = 'info', 'high', 'info') WHERE tenant_id = ?1 AND seq = 7",
            7,
            Altered,
        ),
        (
            "UPDATE audit SET hash = NULL WHERE tenant_id = ?1 AND seq = 2",
            2,
            Altered,
        ),
        (
            "UPDATE audit SET prev_hash = zeroblob(32) WHERE tenant_id = ?1 AND seq = 2",
            2,
            Altered,
        ),
        (
            "DELETE FROM audit WHERE tenant_id = ?1 AND seq > 8",
            9,
            Truncated { known: 10 },
        ),
        (
            "DELETE FROM audit WHERE tenant_id = ?1",
            1,
            Truncated { known: 10 },
        ),
        (
            "UPDATE audit SET tenant_id = zeroblob(16) WHERE tenant_id = ?1 AND seq = 3",
            3,
            Gap,
        ),
        (
            "UPDATE audit_head SET hash = zeroblob(32) WHERE tenant_id = ?1",
            10,
            Rewritten,
        ),
    ];
    for (statement, seq, kind) in cases {
        let log = Log::new().await;
        assert_eq!(log.verify().await, Ok(log.seen), "sound at first");
        log.tamper(statement).await;
        let found = log.verify().await;
        assert_eq!(found, Err(ChainFault { seq, kind }), "{statement}");
        // The log goes on, and does not heal by that.
        log.store.append_audit(log.tenant, &note()).await.unwrap();
        let found = log.verify().await.unwrap_err();
        let named = match kind {
            // What was cut off at the end is a hole once something stands behind it.
            Truncated { .. } => ChainFault { seq, kind: Gap },
            // What continues a head that is none continues no record.
            Rewritten => ChainFault {
                seq: 11,
                kind: Unlinked,
            },
            kind => ChainFault { seq, kind },
        };
        assert_eq!(found, named, "{statement}");
    }
}

#[tokio::test]
async fn t47_cutting_the_head_with_the_rows_contradicts_what_was_seen_outside() {
    let log = Log::new().await;
    log.tamper("DELETE FROM audit WHERE tenant_id = ?1 AND seq > 8")
        .await;
    log.tamper(
        "UPDATE audit_head SET seq = 8, hash = (SELECT hash FROM audit WHERE tenant_id = ?1 AND seq = 8) WHERE tenant_id = ?1",
    )
    .await;
    let cut = ChainFault {
        seq: 9,
        kind: ChainFaultKind::Truncated { known: 10 },
    };
    assert_eq!(log.verify().await, Err(cut));
    for _ in 0..3 {
        let mut other = note();
        other.object = "something else".to_owned();
        log.store.append_audit(log.tenant, &other).await.unwrap();
    }
    let rewritten = ChainFault {
        seq: 10,
        kind: ChainFaultKind::Rewritten,
    };
    assert_eq!(log.verify().await, Err(rewritten), "nor does growing again help");
}

#[tokio::test]
async fn a_log_from_before_there_were_chains_is_chained_as_it_is_once_and_says_so() {
    let log = Log::new().await;
    // As the release before left it.
    log.tamper("UPDATE audit SET prev_hash = NULL, hash = NULL WHERE tenant_id = ?1")
        .await;
    log.tamper("DELETE FROM audit_head WHERE tenant_id = ?1").await;
    log.tamper("PRAGMA user_version = 0").await;
    let again = SqliteStore::open(&log.path).await.unwrap();
    let head = log.verify().await.unwrap();
    assert_eq!(head.seq, log.seen.seq + 1, "the same records give the same chain");
    let newest = again
        .audit(log.tenant, &PageRequest::first())
        .await
        .unwrap()
        .items;
    assert_eq!(newest[0].entry.action, "audit.chained");
    assert_eq!(newest[0].entry.details["rows"], 10);
}

#[tokio::test]
async fn t47_a_row_without_a_hash_that_appears_after_the_upgrade_is_never_made_part_of_the_chain() {
    let log = Log::new().await;
    log.tamper(
        "INSERT INTO audit (tenant_id, seq, at, actor, action, object, severity, details)
         VALUES (?1, 11, 0, 'a', 'b', 'c', 'info', '{}')",
    )
    .await;
    let again = SqliteStore::open(&log.path).await.unwrap();
    again.append_audit(log.tenant, &note()).await.unwrap();
    let altered = |seq| {
        Err(ChainFault {
            seq,
            kind: ChainFaultKind::Altered,
        })
    };
    assert_eq!(log.verify().await, altered(11));
    // Nor does a whole log get another chain.
    log.tamper("UPDATE audit SET actor = 'x', prev_hash = NULL, hash = NULL WHERE tenant_id = ?1")
        .await;
    log.tamper("DELETE FROM audit_head WHERE tenant_id = ?1").await;
    SqliteStore::open(&log.path).await.unwrap();
    assert_eq!(log.verify().await, altered(1));
}
