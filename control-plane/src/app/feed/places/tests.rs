use super::*;

fn tenant(n: usize) -> TenantId {
    TenantId::from_slice(&[u8::try_from(n).unwrap(); 16]).unwrap()
}

/// Takes as many as it is given, with tokens enough for more than any may have.
fn take_all(places: &Arc<Places>, n: usize) -> Vec<Place> {
    let mut taken = Vec::new();
    for token in 0..10 {
        let mut id = [u8::try_from(n).unwrap(); 16];
        id[0] = token;
        let token = ApiTokenId::from_slice(&id).unwrap();
        while let Ok(place) = places.enter(tenant(n), token) {
            taken.push(place);
        }
    }
    taken
}

/// Asks each whether it has to go, and lets go of those.
fn ask(taken: &mut Vec<Place>) {
    let going: Vec<_> = taken.iter_mut().map(Place::must_yield).collect();
    let mut going = going.into_iter();
    taken.retain(|_| !going.next().unwrap());
}

#[test]
fn a_tenant_alone_has_half_of_all_and_none_has_more_than_is_left() {
    let places = Arc::<Places>::default();
    let first = take_all(&places, 1);
    assert_eq!(first.len(), limits::FEED_READERS_PER_TENANT);
    let second = take_all(&places, 2);
    assert_eq!(second.len(), limits::FEED_READERS / 4);
    drop(first);
    assert_eq!(
        second.len() + take_all(&places, 2).len(),
        limits::FEED_READERS / 2
    );
    drop(second);
    assert_eq!(places.held().all, 0);
    assert!(places.held().of_tenant.is_empty() && places.held().of_token.is_empty());
}

#[test]
fn a_token_has_its_bound() {
    let places = Arc::<Places>::default();
    let token = ApiTokenId::from_slice(&[1; 16]).unwrap();
    let taken: Vec<_> = (0..limits::FEED_READERS_PER_TOKEN)
        .map(|_| places.enter(tenant(1), token).unwrap())
        .collect();
    let most = limits::FEED_READERS_PER_TOKEN;
    assert_eq!(places.enter(tenant(1), token).unwrap_err(), Full { most });
    drop(taken);
    places.enter(tenant(1), token).unwrap();
}

#[test]
fn however_many_tenants_there_are_all_together_have_their_bound_and_each_gets_its_share() {
    let places = Arc::<Places>::default();
    let mut all: Vec<Vec<Place>> = Vec::new();
    for n in 1..=40 {
        all.push(take_all(&places, n));
        assert!(all.iter().map(Vec::len).sum::<usize>() <= limits::FEED_READERS);
        // Whoever has too many is told so when it looks the next time, and does not get back in.
        for (i, taken) in all.iter_mut().enumerate() {
            ask(taken);
            taken.extend(take_all(&places, i + 1));
        }
        assert!(
            all.iter().all(|taken| !taken.is_empty()),
            "{n} tenants: {:?}",
            all.iter().map(Vec::len).collect::<Vec<_>>()
        );
    }
    let share = limits::FEED_READERS / 41;
    for (i, taken) in all.iter_mut().enumerate() {
        ask(taken);
        assert!(taken.len() <= share.max(1), "{i}: {}", taken.len());
    }
    assert_eq!(places.held().leaving, 0);
}

#[test]
fn nobody_has_to_go_while_there_is_room() {
    let places = Arc::<Places>::default();
    let mut first = take_all(&places, 1);
    let mut second = take_all(&places, 2);
    ask(&mut first);
    ask(&mut second);
    assert_eq!((first.len(), second.len()), (64, 32));
}
