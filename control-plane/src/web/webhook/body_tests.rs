//! Bodies that are small, large, slow, endless or broken, of one registry and of others.

use axum::body::Bytes;
use futures::stream;
use portolan_shared::process::SeededRng;

use super::*;

/// So much of a body, in pieces; then nothing more ever comes, or it ends.
fn body(bytes: usize, ends: bool) -> Body {
    let pieces = (0..bytes.div_ceil(1_000)).map(move |n| vec![b' '; (bytes - n * 1_000).min(1_000)]);
    let pieces = stream::iter(pieces.map(Ok::<_, std::io::Error>));
    if ends {
        Body::from_stream(pieces)
    } else {
        Body::from_stream(pieces.chain(stream::pending()))
    }
}

fn registries() -> [RegistryId; 3] {
    let rng = SeededRng::new(1);
    std::array::from_fn(|_| RegistryId::random(&rng))
}

/// So many, and so many large ones, all of which one registry may have.
fn bodies(all: usize, large: usize) -> Bodies {
    Bodies::new(Bounds {
        all: (all, all),
        large: (large, large),
    })
}

#[tokio::test]
async fn a_body_has_its_bound_announced_or_not() {
    let (bodies, [registry, ..]) = (bodies(1, 1), registries());
    for bound in [SMALL, limits::NOTIFICATION_BYTES] {
        let taken = bodies.take(registry, body(bound, true)).await.ok().unwrap();
        assert_eq!(taken.bytes.len(), bound);
    }
    let above = limits::NOTIFICATION_BYTES + 1;
    for body in [body(above, true), Body::from(vec![b' '; above])] {
        let untaken = bodies.take(registry, body).await.err();
        assert_eq!(untaken, Some(Untaken::TooLarge));
    }
    let broken = stream::iter([Err::<Bytes, _>(std::io::Error::other("cut off"))]);
    let untaken = bodies.take(registry, Body::from_stream(broken)).await.err();
    assert_eq!(untaken, Some(Untaken::Broken));
}

#[tokio::test]
async fn what_is_passed_over_has_its_bounds_and_a_place() {
    let [registry, other, _] = registries();
    let impatient = Bodies {
        within: Duration::from_millis(20),
        ..bodies(1, 0)
    };
    let patient = bodies(1, 0);
    let larger_than_taken = 3 * limits::NOTIFICATION_BYTES;
    let passed = patient.pass_over(registry, body(larger_than_taken, true)).await;
    assert_eq!(passed, Ok(larger_than_taken));
    let passed = impatient.pass_over(registry, body(10, false)).await;
    assert_eq!(passed, Ok(10), "nobody waits for the rest");
    let piece = 1024 * 1024;
    let without_end = stream::repeat_with(move || Ok::<_, std::io::Error>(vec![b' '; piece]));
    let passed = patient.pass_over(registry, Body::from_stream(without_end)).await;
    let passed = passed.unwrap();
    assert!(
        (limits::PASSED_OVER_BYTES + 1..=limits::PASSED_OVER_BYTES + piece).contains(&passed),
        "{passed}"
    );
    let mut slow = Box::pin(patient.pass_over(registry, body(10, false)));
    assert!(futures::poll!(slow.as_mut()).is_pending());
    let second = patient.pass_over(registry, body(1, true)).await;
    assert_eq!(second, Err(Untaken::NoPlace));
    assert_eq!(patient.pass_over(other, body(1, true)).await, Ok(1));
    assert_eq!(slow.await, Ok(10), "its place was needed");
}

#[tokio::test]
async fn so_many_are_in_hand_and_none_for_long() {
    let [registry, ..] = registries();
    let bodies = Bodies {
        within: Duration::from_millis(20),
        ..bodies(3, 1)
    };
    let mut slow = Box::pin(futures::future::join(
        bodies.take(registry, body(SMALL + 1, false)),
        bodies.take(registry, body(10, false)),
    ));
    assert!(futures::poll!(slow.as_mut()).is_pending());
    let large = bodies.take(registry, body(SMALL + 1, true)).await;
    assert_eq!(large.err(), Some(Untaken::NoPlace));
    assert!(bodies.take_over(registry, vec![0; SMALL + 1]).is_err());
    let third = bodies.take(registry, body(SMALL, true)).await.ok().unwrap();
    let fourth = bodies.take(registry, body(1, true)).await;
    assert_eq!(fourth.err(), Some(Untaken::NoPlace));
    assert!(bodies.take_over(registry, vec![0]).is_err());
    drop(third);
    let (one, other) = slow.await;
    assert_eq!(
        (one.err(), other.err()),
        (Some(Untaken::Slow), Some(Untaken::Slow))
    );
    let large = bodies.take(registry, body(SMALL + 1, true)).await.ok().unwrap();
    assert!(bodies.take_over(registry, vec![0]).is_ok(), "all were given back");
    drop(large);
    assert!(bodies.take_over(registry, vec![0; SMALL + 1]).is_ok());
}

/// Slow bodies for one registry, as many as it may have and as many as there are places: another one loses nothing by them.
#[tokio::test]
async fn whoever_fills_the_places_of_one_registry_keeps_no_other_out() {
    let [attacked, other, third] = registries();
    let bodies = Bodies::new(Bounds {
        all: (3, 2),
        large: (2, 2),
    });
    let mut slow = Box::pin(futures::future::join3(
        bodies.take(attacked, body(SMALL + 1, false)),
        bodies.take(attacked, body(SMALL + 1, false)),
        bodies.take(third, body(10, false)),
    ));
    assert!(futures::poll!(slow.as_mut()).is_pending());
    let own = bodies.take(attacked, body(1, true)).await;
    assert_eq!(own.err(), Some(Untaken::NoPlace), "it has its own and no more");
    let large = bodies.take(other, body(SMALL + 1, true)).await.ok().unwrap();
    assert!(
        futures::poll!(slow.as_mut()).is_pending(),
        "two of them wait still"
    );
    drop(large);
    assert!(bodies.take(other, body(1, true)).await.is_ok());
}

#[tokio::test]
async fn of_strangers_the_slowest_makes_room_for_the_next_of_its_registry() {
    let [registry, ..] = registries();
    let bodies = Bodies::of_strangers(Bounds {
        all: (3, 2),
        large: (2, 1),
    });
    let mut slow = Box::pin(bodies.take(registry, body(SMALL + 1, false)));
    assert!(futures::poll!(slow.as_mut()).is_pending());
    let large = bodies.take(registry, body(SMALL + 1, true)).await.ok().unwrap();
    assert_eq!(slow.await.err(), Some(Untaken::NoPlace));
    let small = bodies.take(registry, body(1, true)).await.ok().unwrap();
    let third = bodies.take(registry, body(1, true)).await;
    assert_eq!(third.err(), Some(Untaken::NoPlace), "what has come stays");
    drop((large, small));
}
