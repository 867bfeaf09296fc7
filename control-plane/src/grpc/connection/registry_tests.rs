//! Who is let in, and who goes for it.

use super::*;
use jiff::Timestamp;
use portolan_shared::model::TenantId;
use portolan_shared::process::SeededRng;

fn identity() -> PeerIdentity {
    let rng = SeededRng::new(4);
    PeerIdentity {
        tenant: TenantId::random(&rng),
        sensor: SensorId::random(&rng),
        serial: [1; 16],
        not_before: Timestamp::UNIX_EPOCH,
        not_after: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn a_sensor_has_two_connections_a_purpose_and_the_newest_is_refused() {
    let connections = Connections::new();
    let remote = SocketAddr::from(([127, 0, 0, 1], 1));
    let enter = || connections.enter(remote, Some(identity()), 0);
    let all: Vec<_> = (0..PER_SENSOR).map(|_| enter().unwrap()).collect();
    assert!(enter().is_none());
    let claim = |which: usize, purpose| connections.claim(&all[which], purpose, None);
    assert_eq!(claim(0, Purpose::Session), Ok(()));
    assert_eq!(claim(1, Purpose::Session), Ok(()));
    all[..2].iter().for_each(|connection| connection.greeted());
    assert_eq!(claim(2, Purpose::Session), Err(Unclaimed::TooMany));
    assert_eq!(claim(2, Purpose::Upload), Ok(()));
    assert_eq!(claim(0, Purpose::Session), Ok(()), "again");
    assert_eq!(claim(0, Purpose::Upload), Err(Unclaimed::OtherPurpose));
    assert_eq!(claim(2, Purpose::Session), Err(Unclaimed::OtherPurpose));
    all[0].cut.cancel();
    assert_eq!(
        claim(3, Purpose::Session),
        Ok(()),
        "one that is cut does not count"
    );
    all[3].greeted();
    assert_eq!(claim(4, Purpose::Session), Err(Unclaimed::TooMany));
    connections.release(&all[3]);
    assert_eq!(claim(4, Purpose::Session), Ok(()));
    all.iter().for_each(|connection| connections.leave(connection));
    assert_eq!(connections.count(), 0);
}

#[test]
fn a_session_takes_the_place_of_the_oldest_that_has_not_said_hello() {
    let connections = Connections::new();
    let remote = SocketAddr::from(([127, 0, 0, 1], 1));
    let enter = || connections.enter(remote, Some(identity()), 0).unwrap();
    let (first, second, third) = (enter(), enter(), enter());
    for silent in [&first, &second] {
        connections.claim(silent, Purpose::Session, None).unwrap();
    }
    first.greeted();
    assert_eq!(connections.claim(&third, Purpose::Session, None), Ok(()));
    assert!(second.cut.is_cancelled() && !first.cut.is_cancelled());
    third.greeted();
    assert_eq!(
        connections.claim(&enter(), Purpose::Session, None),
        Err(Unclaimed::TooMany),
        "both have said hello"
    );
}

#[test]
fn at_the_bound_the_oldest_unused_connection_goes_and_a_voided_one_first() {
    let connections = Connections::new();
    let remote = SocketAddr::from(([127, 0, 0, 1], 1));
    let with = |serial: u8| PeerIdentity {
        serial: [serial; 16],
        ..identity()
    };
    let enter = |serial| connections.enter(remote, Some(with(serial)), 0);
    let used = enter(1).unwrap();
    connections.claim(&used, Purpose::Upload, None).unwrap();
    let unused: Vec<_> = [1, 2, 1, 2].map(|serial| enter(serial).unwrap()).into();
    assert!(enter(1).is_none(), "the bound");
    let mut gone = Vec::new();
    for _ in 0..PER_SENSOR {
        let newcomer = connections.enter_instead(remote, with(1), |serial| *serial == [1; 16]);
        if newcomer.is_some() {
            let cut = unused.iter().map(|connection| connection.cut.is_cancelled());
            gone.push(cut.filter(|cut| *cut).count());
        }
    }
    assert_eq!(gone, [1, 2, 3, 4, 4], "then the newcomers' turn has come");
    assert!(!used.cut.is_cancelled());
    assert!(
        connections.enter_instead(remote, with(1), |_| true).is_none(),
        "as many again are not closed yet"
    );
    connections.leave(&unused[0]);
    assert!(connections.enter_instead(remote, with(1), |_| true).is_some());
}

#[test]
fn the_voided_certificate_goes_before_an_older_good_one() {
    let connections = Connections::new();
    let remote = SocketAddr::from(([127, 0, 0, 1], 1));
    let with = |serial: u8| PeerIdentity {
        serial: [serial; 16],
        ..identity()
    };
    let all: Vec<_> = [1, 1, 1, 1, 2]
        .map(|serial| connections.enter(remote, Some(with(serial)), 0).unwrap())
        .into();
    let newcomer = connections.enter_instead(remote, with(1), |serial| *serial == [1; 16]);
    assert!(newcomer.is_some() && all[4].cut.is_cancelled());
    assert!(all[..4].iter().all(|connection| !connection.cut.is_cancelled()));
}

#[test]
fn strangers_are_bounded_in_all_and_from_one_source() {
    let connections = Connections::new();
    let enter = |host: u8, port: u16| {
        let remote = SocketAddr::from(([192, 0, 2, host], port));
        connections.enter(remote, None, 4)
    };
    let first = enter(1, 1).unwrap();
    assert!(enter(1, 2).is_none(), "a quarter is one");
    let others: Vec<_> = (2..=4).map(|host| enter(host, 1).unwrap()).collect();
    assert!(enter(5, 1).is_none(), "there are four");
    connections.leave(&first);
    assert!(enter(1, 2).is_some());
    assert_eq!(connections.count(), others.len() + 1);
    connections.cut_all();
}

#[test]
fn an_upload_takes_the_places_of_those_that_show_no_fence_of_the_session_that_stands() {
    let connections = Connections::new();
    let remote = SocketAddr::from(([127, 0, 0, 1], 1));
    let enter = || connections.enter(remote, Some(identity()), 0).unwrap();
    let claim = |connection: &Connection, standing| connections.claim(connection, Purpose::Upload, standing);
    let thief = [enter(), enter()];
    for held in &thief {
        claim(held, Some(3)).unwrap();
    }
    let genuine = enter();
    assert_eq!(claim(&genuine, Some(3)), Ok(()));
    assert!(thief.iter().all(|held| held.cut.is_cancelled()), "both");
    thief.iter().for_each(|held| connections.leave(held));
    genuine.showed(3);
    let again = [enter(), enter()];
    for held in &again {
        assert_eq!(claim(held, Some(3)), Ok(()));
    }
    assert!(again[0].cut.is_cancelled() && !genuine.cut.is_cancelled());
    again[1].showed(3);
    connections.leave(&again[0]);
    let late = enter();
    let refused = Err(Unclaimed::TooMany);
    assert_eq!(claim(&late, Some(3)), refused, "both have shown one");
    assert_eq!(claim(&late, None), refused, "nor where no session is known");
    assert_eq!(
        claim(&late, Some(4)),
        Ok(()),
        "but those of a session that is over"
    );
    assert!(genuine.cut.is_cancelled() && again[1].cut.is_cancelled());
}
