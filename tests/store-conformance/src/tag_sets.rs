//! Whole tag sets.

use portolan_shared::model::RepositoryOutcome;
use portolan_store::Store;

use crate::site::{Site, commit_of, name};

/// Whichever repositories are asked for, each whole.
pub async fn tag_sets_come_whole_in_the_order_asked_for(store: &dyn Store) {
    let site = Site::new(store).await;
    let (a, b): (&[_], &[_]) = (&[("1", "one"), ("2", "two")], &[("3", "three")]);
    site.sync(store, &[("a", a), ("b", b), ("c", b)], 10).await;
    let asked = [name("b"), name("unknown"), name("a")];
    let mut sets = store.tag_sets(site.tenant, site.registry, &asked).await.unwrap();
    sets.iter_mut()
        .for_each(|set| set.sort_by(|left, right| left.tag.cmp(&right.tag)));
    let expected = |tags: &[(&str, &str)]| commit_of("x", tags, RepositoryOutcome::Listed).tags;
    assert_eq!(sets, [expected(b), Vec::new(), expected(a)]);
    let other = Site::new(store).await;
    let foreign = store.tag_sets(other.tenant, site.registry, &asked).await.unwrap();
    assert_eq!(foreign, [Vec::new(), Vec::new(), Vec::new()]);
}
