//! That what is asked all the time is answered from indexes: no statement walks a table that grows with the tenant.

use super::super::image;
use super::super::plan::steps as plan;
use super::{changes, forget, present, runs};

/// Steps that walk or sort, but for what is bound as JSON and the rows of a subquery.
fn costly(plan: &[String]) -> Vec<&String> {
    let innocent = |step: &&String| {
        !step.contains("json_each")
            && !step.contains("SCAN span")
            && !step.contains("SCAN line")
            && !step.contains("CONSTANT ROW")
    };
    let walks = |step: &&String| step.starts_with("SCAN") || step.contains("TEMP B-TREE");
    plan.iter().filter(walks).filter(innocent).collect()
}

#[tokio::test]
async fn the_feed_is_read_by_its_index() {
    for (statement, key) in [
        (
            changes::WHOLE,
            "ledger_entry USING INDEX ledger_feed (tenant_id=? AND feed_no>? AND feed_no<?)",
        ),
        (
            changes::REST,
            "ledger_entry USING INDEX ledger_feed (tenant_id=? AND feed_no=?)",
        ),
    ] {
        let plan = plan(statement).await;
        assert!(plan.iter().any(|step| step.contains(key)), "{plan:#?}");
        // Lines of one entry at a time are brought into order, not those of all.
        let costly: Vec<_> = costly(&plan);
        assert!(
            costly
                .iter()
                .all(|step| step.contains("FOR LAST TERM OF ORDER BY") || step.contains("FOR RIGHT PART")),
            "{plan:#?}"
        );
    }
}

#[tokio::test]
async fn a_baseline_is_read_by_its_keys() {
    let plan = plan(present::PRESENT).await;
    assert!(costly(&plan).is_empty(), "{plan:#?}");
}

#[tokio::test]
async fn the_past_is_read_by_its_keys() {
    for statement in [image::AT, image::REPOSITORIES_CHANGED] {
        let plan = plan(statement).await;
        assert!(costly(&plan).is_empty(), "{plan:#?}");
    }
    // What is different in one repository is sorted: lines come by entry.
    let plan = plan(image::DIFFERENCES).await;
    assert!(plan.iter().any(|step| step.contains("entry_no>?")), "{plan:#?}");
    assert!(
        costly(&plan).iter().all(|step| step.contains("TEMP B-TREE")),
        "{plan:#?}"
    );
}

#[tokio::test]
async fn forgetting_walks_nothing() {
    let statements = [
        forget::OLD,
        forget::LINES,
        forget::SUPERSEDED,
        forget::TOLD,
        runs::OLD,
        runs::OLD_LOOKS,
    ];
    for statement in statements {
        let plan = plan(statement).await;
        let costly: Vec<_> = costly(&plan)
            .into_iter()
            .filter(|step| !step.contains("FOR LAST TERM OF ORDER BY") && !step.contains("FOR RIGHT PART"))
            .collect();
        assert!(costly.is_empty(), "{costly:?} in {plan:#?}");
    }
}
