//! The file of pins: what it remembers, and that what is wrong with it is never passed over.

use std::os::unix::fs::PermissionsExt as _;

use portolan_shared::process::SeededRng;
use portolan_shared::secret::sealed::IdentityPublicKey;

use super::*;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn fingerprint(seed: u8) -> IdentityFingerprint {
    IdentityPublicKey([seed; 32]).fingerprint()
}

fn sensor(seed: u64, name: &str) -> Pinned {
    let rng = SeededRng::new(seed);
    Pinned {
        control_plane: "https://p.example.com/".to_owned(),
        tenant: TenantId::random(&rng),
        sensor: SensorId::random(&rng),
        name: name.to_owned(),
    }
}

#[test]
fn remembers_by_control_plane_tenant_and_sensor_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let pins = Pins::open(Some(&folder.path().join("new/portolan"))).unwrap();
    let berlin = sensor(1, "berlin-1");
    assert_eq!(pins.known(&berlin, fingerprint(1)).unwrap(), Known::Never);
    pins.pin(berlin.clone(), fingerprint(1), AT).unwrap();
    pins.pin(sensor(2, "munich-1"), fingerprint(2), AT).unwrap();
    assert_eq!(pins.known(&berlin, fingerprint(1)).unwrap(), Known::Same);
    assert_eq!(
        pins.known(&berlin, fingerprint(2)).unwrap(),
        Known::Otherwise(fingerprint(1), AT)
    );
    let elsewhere = Pinned {
        control_plane: "https://other.example.com/".to_owned(),
        ..berlin.clone()
    };
    assert_eq!(pins.known(&elsewhere, fingerprint(2)).unwrap(), Known::Never);
    let mode = std::fs::metadata(pins.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    pins.pin(berlin.clone(), fingerprint(3), AT).unwrap();
    assert_eq!(pins.known(&berlin, fingerprint(3)).unwrap(), Known::Same);
    assert_eq!(pins.read().unwrap().len(), 2);
}

#[test]
fn t36_another_sensor_under_a_known_name_is_not_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let pins = Pins::open(Some(folder.path())).unwrap();
    pins.pin(sensor(1, "berlin-1"), fingerprint(1), AT).unwrap();
    // Another id, another tenant.
    let known = pins.known(&sensor(2, "berlin-1"), fingerprint(2)).unwrap();
    assert_eq!(known, Known::Otherwise(fingerprint(1), AT));
}

#[test]
fn what_is_wrong_with_the_file_is_an_error_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pins = Pins::open(Some(folder.path())).unwrap();
    pins.pin(sensor(1, "berlin-1"), fingerprint(1), AT).unwrap();
    let good = std::fs::read_to_string(pins.path()).unwrap();
    let one = good.split_once('[').unwrap().1.rsplit_once(']').unwrap().0;
    let twice = good.replace(one, &format!("{one},{one}"));
    let cut = &good[..good.len() - 3];
    for (content, words) in [
        ("", "not in its form"),
        (cut, "not in its form"),
        ("[]", "not in its form"),
        (&good.replace("\"name\"", "\"names\""), "not in its form"),
        (&good.replace("\"form\": 1", "\"form\": 2"), "does not know"),
        (&twice, "twice"),
    ] {
        std::fs::write(pins.path(), content).unwrap();
        for error in [
            pins.known(&sensor(1, "berlin-1"), fingerprint(1)).unwrap_err(),
            pins.pin(sensor(2, "munich-1"), fingerprint(2), AT).unwrap_err(),
        ] {
            let told = error.tell();
            assert!(
                told.contains("is damaged") && told.contains(words) && told.contains("pins.json"),
                "{told}"
            );
        }
        assert_eq!(std::fs::read_to_string(pins.path()).unwrap(), content);
    }
    std::fs::write(pins.path(), &good).unwrap();
    std::fs::set_permissions(pins.path(), std::fs::Permissions::from_mode(0o622)).unwrap();
    let error = pins.known(&sensor(1, "berlin-1"), fingerprint(1)).unwrap_err();
    assert!(error.tell().contains("can write to it"), "{}", error.tell());
    std::fs::set_permissions(pins.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(pins.path(), vec![b' '; 1024 * 1024 + 1]).unwrap();
    assert!(pins.known(&sensor(1, "berlin-1"), fingerprint(1)).is_err());
}

#[test]
fn commands_at_once_lose_none_of_each_others_pins() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let pins = Pins::open(Some(folder.path())).unwrap();
            scope.spawn(move || {
                pins.pin(sensor(number, &format!("s-{number}")), fingerprint(1), AT)
                    .unwrap();
            });
        }
    });
    let pins = Pins::open(Some(folder.path())).unwrap();
    assert_eq!(pins.read().unwrap().len(), 8);
}
