//! What the pager makes of servers, honest and not.

use proptest::prelude::*;

use super::*;

fn page<'a>(entries: usize, fresh: usize, last: &'a str, next: Option<&str>) -> Seen<'a> {
    Seen {
        entries,
        fresh,
        last: (!last.is_empty()).then_some(last),
        next: next.map(str::to_owned),
        over: false,
    }
}

fn started() -> Pager {
    let mut pager = Pager::new(0, 100);
    assert_eq!(pager.query().unwrap(), "n=1000");
    pager
}

#[test]
fn follows_links_to_the_end() {
    let mut pager = started();
    pager.page(page(1000, 1000, "m", Some("last=m&n=1000")));
    assert_eq!(pager.query().unwrap(), "last=m&n=1000");
    pager.page(page(3, 3, "z", None));
    assert_eq!((pager.query(), pager.end()), (None, Some(WalkEnd::Complete)));
}

#[test]
fn a_link_on_the_last_page_leads_to_an_empty_one() {
    let mut pager = started();
    pager.page(page(3, 3, "c", Some("last=c")));
    assert_eq!(pager.query().unwrap(), "last=c");
    pager.page(page(0, 0, "", Some("last=c")));
    assert_eq!(pager.end(), Some(WalkEnd::Complete));
}

#[test]
fn a_full_page_without_a_link_is_asked_on() {
    let mut pager = started();
    pager.page(page(1000, 1000, "m/x", None));
    assert_eq!(pager.query().unwrap(), "n=1000&last=m%2Fx");
    pager.page(page(2, 2, "z", None));
    assert_eq!(pager.end(), Some(WalkEnd::Complete));
}

#[test]
fn a_server_that_gives_everything_each_time_is_complete() {
    let mut pager = started();
    pager.page(page(1000, 1000, "m", None));
    pager.query().unwrap();
    pager.page(page(1000, 0, "m", None));
    assert_eq!(pager.end(), Some(WalkEnd::Complete));
    let mut pager = started();
    pager.page(page(500_000, 500_000, "z", None));
    assert_eq!(
        pager.end(),
        Some(WalkEnd::Complete),
        "more than was asked for is everything"
    );
}

#[test]
fn a_page_cut_without_a_word_is_asked_on() {
    let mut pager = started();
    pager.page(page(100, 100, "j", None));
    assert_eq!(pager.query().unwrap(), "n=1000&last=j");
    pager.page(page(7, 7, "z", None));
    assert_eq!(pager.end(), Some(WalkEnd::Complete));
}

#[test]
fn a_full_page_whose_continuation_is_refused_is_not_called_complete() {
    let mut pager = started();
    pager.page(page(1000, 1000, "m", None));
    pager.query().unwrap();
    assert_eq!(pager.refused(404), Refused::GoOn);
    assert_eq!(pager.end(), Some(WalkEnd::Unproven));
}

#[test]
fn circles_are_left_by_asking_for_what_follows() {
    let mut pager = started();
    pager.page(page(10, 10, "j", Some("n=1000")));
    assert_eq!(
        pager.query().unwrap(),
        "n=1000&last=j",
        "the link leads to the same page"
    );
    pager.page(page(10, 0, "j", Some("n=1000")));
    assert_eq!(pager.end(), Some(WalkEnd::Circle));
    let mut pager = started();
    pager.page(page(10, 10, "j", Some("n=1000")));
    pager.query().unwrap();
    pager.page(page(0, 0, "", None));
    assert_eq!(
        pager.end(),
        Some(WalkEnd::Complete),
        "nothing follows, so the circle held everything"
    );
}

#[test]
fn pages_without_anything_new_end_the_walk() {
    let mut pager = started();
    pager.page(page(10, 10, "j", Some("c=0")));
    for turn in 1..=FRUITLESS {
        pager.query().unwrap();
        pager.page(page(10, 0, "j", Some(&format!("c={turn}"))));
    }
    assert_eq!(pager.query().unwrap(), "n=1000&last=j");
    pager.page(page(10, 0, "j", None));
    assert_eq!(pager.end(), Some(WalkEnd::Circle));
}

#[test]
fn steps_down_the_ladder_of_page_sizes() {
    let mut pager = Pager::new(0, 10);
    for (size, status) in [("n=1000", 400), ("n=100", 413), ("n=10", 503)] {
        assert_eq!(pager.query().unwrap(), size);
        assert!(pager.may_step_down());
        assert_eq!(pager.refused(status), Refused::GoOn);
    }
    assert_eq!(pager.query().unwrap(), "");
    assert_eq!(pager.refused(400), Refused::Fail);
    assert_eq!(pager.refused_step(), 2, "a failure teaches nothing about sizes");
    assert_eq!(started().refused(404), Refused::Fail, "there is no such list");
    assert_eq!(
        Pager::new(2, 10).query().unwrap(),
        "n=10",
        "what was learnt is used"
    );
}

#[test]
fn a_lost_cursor_starts_again_twice() {
    let mut pager = Pager::new(0, 100);
    for round in 0..=RESTARTS {
        assert_eq!(pager.query().unwrap(), "n=1000");
        pager.page(page(2, if round == 0 { 2 } else { 0 }, "b", Some("last=b")));
        assert_eq!(pager.query().unwrap(), "last=b");
        assert_eq!(pager.refused(404), Refused::GoOn);
    }
    assert_eq!(pager.end(), Some(WalkEnd::CursorLost));
    let mut pager = started();
    pager.page(page(2, 2, "b", Some("last=b")));
    pager.query().unwrap();
    pager.refused(400);
    assert_eq!(pager.query().unwrap(), "n=1000");
    for turn in 0..FRUITLESS + 2 {
        // The same pages again, and only then something new.
        pager.page(page(2, 0, "b", Some(&format!("again={turn}"))));
        pager.query().unwrap();
    }
    pager.page(page(1, 1, "c", None));
    assert_eq!(pager.end(), Some(WalkEnd::Complete));
}

#[test]
fn stops_at_its_bounds() {
    let mut pager = Pager::new(0, 2);
    pager.query().unwrap();
    pager.page(page(1, 1, "a", Some("c=1")));
    pager.query().unwrap();
    pager.page(page(1, 1, "b", Some("c=2")));
    assert_eq!((pager.query(), pager.end()), (None, Some(WalkEnd::PageBound)));
    let mut pager = started();
    pager.page(Seen {
        over: true,
        ..page(1, 1, "a", Some("c=1"))
    });
    assert_eq!(pager.end(), Some(WalkEnd::ItemBound));
}

proptest! {
    /// An honest server of any page size, with or without links, is listed whole.
    #[test]
    fn honest_servers_are_listed_whole(total in 0_usize..3000, size in 1_usize..1200, links: bool, ignores_n: bool) {
        let names: Vec<String> = (0..total).map(|i| format!("t{i:05}")).collect();
        let size = if links { size.min(1000) } else { 1000 };
        let mut pager = Pager::new(0, 10_000);
        let mut listed = 0;
        while let Some(query) = pager.query() {
            let after = query.split('&').find_map(|part| part.strip_prefix("last="));
            let from = after.map_or(0, |name| names.partition_point(|n| n.as_str() <= name));
            let (from, to) = if ignores_n { (0, total) } else { (from, total.min(from + size)) };
            let fresh = to.saturating_sub(listed.max(from));
            listed = listed.max(to);
            let last = (to > from).then(|| names[to - 1].as_str());
            let next = (links && !ignores_n && to < total).then(|| format!("n=1000&last={}", names[to - 1]));
            pager.page(Seen { entries: to - from, fresh, last, next, over: false });
        }
        prop_assert_eq!((pager.end(), listed), (Some(WalkEnd::Complete), total));
    }

    /// Whatever a server does, the walk ends.
    #[test]
    fn every_walk_ends(
        turns in proptest::collection::vec((0_usize..3, 0_usize..2, 0_u8..5, proptest::option::of(400_u16..600)), 1..40),
    ) {
        let mut pager = Pager::new(0, 50);
        for (entries, fresh, link, refused) in turns.into_iter().cycle().take(500) {
            if pager.query().is_none() {
                break;
            }
            match refused {
                Some(status) if link == 0 => {
                    if pager.refused(status) == Refused::Fail {
                        return Ok(());
                    }
                }
                _ => pager.page(Seen {
                    entries,
                    fresh: fresh.min(entries),
                    last: (entries > 0).then_some("x"),
                    next: (link > 1).then(|| format!("c={link}")),
                    over: false,
                }),
            }
        }
        prop_assert!(pager.end().is_some());
    }
}
