//! What is remembered of refused logins, and for how long.

use super::*;
use portolan_shared::secret::Secret;

const HERE: &str = "r:443";

fn login(username: &str, secret: &str) -> Credential {
    Credential::Login {
        username: username.to_owned(),
        secret: Secret::new(secret.to_owned()),
    }
}

fn numbered(number: usize) -> Credential {
    login("u", &number.to_string())
}

fn refusal() -> Refusal {
    Refusal {
        host: "h".to_owned(),
        status: StatusCode::UNAUTHORIZED,
        code: None,
        json: true,
    }
}

fn at(hours: u64) -> Uptime {
    Uptime(Duration::from_secs(hours * 3_600))
}

fn refuse(logins: &RefusedLogins, login: &Credential, now: Uptime) {
    logins.remember(HERE, Place::Registry, login, None, refusal(), now);
}

fn check(logins: &RefusedLogins, login: &Credential, now: Uptime) -> Result<(), Fault> {
    logins.check(HERE, Place::Registry, login, None, now)
}

#[test]
fn a_refusal_is_of_one_login_at_one_place_of_one_registry() {
    let logins = RefusedLogins::default();
    refuse(&logins, &login("u", "hidden"), at(0));
    let known = |registry, place, login: &Credential| match logins.check(registry, place, login, None, at(1))
    {
        Ok(()) => false,
        Err(Fault::LoginRefused { .. }) => true,
        Err(other) => panic!("{other:?}"),
    };
    assert!(known(HERE, Place::Registry, &login("u", "hidden")));
    assert!(!known(HERE, Place::Registry, &login("u", "changed")));
    assert!(!known(HERE, Place::Registry, &login("uh", "idden")));
    assert!(!known("other:443", Place::Registry, &login("u", "hidden")));
    assert!(!known(HERE, Place::Api(HERE), &login("u", "hidden")));
    let token = Credential::RegistryToken(Secret::new("hidden".to_owned()));
    assert!(!known(HERE, Place::Registry, &token));
    assert!(!format!("{logins:?}").contains("hidden"), "no secret is kept");
    refuse(&logins, &login("u", "other"), at(0));
    logins.forget_login(HERE, &login("u", "other"));
    assert!(!known(HERE, Place::Registry, &login("u", "other")));
    assert!(known(HERE, Place::Registry, &login("u", "hidden")));
    logins.forget(HERE);
    assert!(!known(HERE, Place::Registry, &login("u", "hidden")));
}

#[test]
fn none_is_forgotten_at_the_bound_and_unknown_ones_are_held_back() {
    let logins = RefusedLogins::default();
    let good = login("good", "good");
    logins.accept(HERE, Place::Registry, &good, None);
    for number in 0..OF_REGISTRY - 1 {
        refuse(&logins, &numbered(number), at(0));
    }
    let unknown = login("new", "new");
    assert!(check(&logins, &unknown, at(1)).is_ok(), "there is room for one");
    refuse(&logins, &numbered(OF_REGISTRY - 1), at(1));
    for number in 0..OF_REGISTRY {
        let checked = check(&logins, &numbered(number), at(2));
        assert!(matches!(checked, Err(Fault::LoginRefused { .. })), "{number}");
    }
    let held_back = |now| matches!(check(&logins, &unknown, now), Err(Fault::LoginHeldBack));
    assert!(held_back(at(2)));
    assert!(check(&logins, &good, at(2)).is_ok(), "was accepted before");
    let elsewhere = |now| logins.check("other:443", Place::Registry, &unknown, None, now);
    assert!(elsewhere(at(2)).is_ok(), "another registry has no part in it");
    // One that was on its way when the bound was reached.
    refuse(&logins, &login("late", "late"), at(3));
    assert_eq!(logins.lock().refusals.len(), OF_REGISTRY);
    assert!(
        held_back(at(26)),
        "for as long as that one would have been remembered"
    );
    assert!(elsewhere(at(26)).is_ok());
    assert!(!held_back(at(27)));
}

#[test]
fn registries_that_refuse_everything_reach_the_bound_together() {
    let logins = RefusedLogins::default();
    let registries = REFUSALS / OF_REGISTRY;
    let refuse = |registry: usize, number: usize, now| {
        let (registry, login) = (format!("r{registry}:443"), numbered(number));
        logins.remember(&registry, Place::Registry, &login, None, refusal(), now);
    };
    let anywhere = |now| logins.check(HERE, Place::Registry, &numbered(0), None, now);
    for registry in 0..registries {
        for number in 0..OF_REGISTRY {
            assert!(anywhere(at(0)).is_ok());
            refuse(registry, number, at(0));
        }
    }
    assert!(matches!(anywhere(at(1)), Err(Fault::LoginHeldBack)));
    refuse(registries, 0, at(1));
    assert_eq!(logins.lock().refusals.len(), REFUSALS);
    assert!(matches!(anywhere(at(24)), Err(Fault::LoginHeldBack)));
    assert!(anywhere(at(25)).is_ok());
}

#[test]
fn a_program_whose_logins_are_refused_in_a_row_is_held_back() {
    let logins = RefusedLogins::default();
    let helper = Some("docker-config docker-credential-a");
    let refuse = |number: usize, now| {
        logins.remember(HERE, Place::Registry, &numbered(number), helper, refusal(), now);
    };
    let check = |program, place| logins.check(HERE, place, &login("new", "new"), program, at(3));
    refuse(0, at(0));
    refuse(1, at(1));
    assert!(check(helper, Place::Registry).is_ok());
    logins.accept(HERE, Place::Registry, &numbered(9), helper);
    refuse(2, at(2));
    refuse(3, at(2));
    assert!(
        check(helper, Place::Registry).is_ok(),
        "one was accepted between them"
    );
    refuse(4, at(2));
    assert!(matches!(
        check(helper, Place::Registry),
        Err(Fault::LoginHeldBack)
    ));
    assert!(
        check(None, Place::Registry).is_ok(),
        "what a person has entered is sent"
    );
    assert!(
        check(Some("another"), Place::Registry).is_ok(),
        "so is another program's"
    );
    assert!(
        check(helper, Place::Api(HERE)).is_ok(),
        "and it is, to the product's API"
    );
    let (new, now) = (login("new", "new"), at(26));
    assert!(
        logins.check(HERE, Place::Registry, &new, helper, now).is_ok(),
        "after a day"
    );
}

#[test]
fn a_refusal_ends_after_a_day() {
    let logins = RefusedLogins::default();
    refuse(&logins, &numbered(1), at(1));
    assert!(check(&logins, &numbered(1), at(24)).is_err());
    assert!(check(&logins, &numbered(1), at(25)).is_ok());
    assert!(logins.lock().refusals.is_empty());
}

#[test]
fn who_was_accepted_and_is_refused_is_refused() {
    let logins = RefusedLogins::default();
    for number in 0..=ACCEPTED {
        logins.accept(HERE, Place::Registry, &numbered(number), None);
    }
    assert_eq!(logins.lock().accepted.len(), ACCEPTED);
    refuse(&logins, &numbered(1), at(0));
    assert!(matches!(
        check(&logins, &numbered(1), at(0)),
        Err(Fault::LoginRefused { .. })
    ));
    assert_eq!(logins.lock().accepted.len(), ACCEPTED - 1);
}
