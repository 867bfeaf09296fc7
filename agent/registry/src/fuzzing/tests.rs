//! The seeds of `tests/fuzz`, whole and damaged, through the same entrances that the fuzzer uses: so neither can rot.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::{ENTRANCES, Entrance};

/// Changes to a seed: where (modulo its length), how, and with what.
type Damage = Vec<(usize, u8, u8)>;

/// Seeds whose names begin so are to be refused.
const REFUSED: &str = "refused-";

fn seeds(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fuzz/seeds")
        .join(name);
    let mut seeds: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect();
    seeds.sort();
    seeds
}

fn damaged(seed: &[u8], damage: &Damage) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for (place, how, with) in damage {
        let place = place % (bytes.len() + 1);
        match how % 5 {
            0 => bytes.insert(place, *with),
            1 if place < bytes.len() => bytes[place] = *with,
            2 if place < bytes.len() => drop(bytes.remove(place)),
            3 => bytes.truncate(place),
            _ => bytes.extend_from_within(place / 2..place),
        }
    }
    bytes
}

#[test]
fn every_seed_is_read_or_refused_as_its_name_says() {
    for (name, entrance) in ENTRANCES {
        let seeds = seeds(name);
        assert!(seeds.len() >= 3, "{name} has almost no seeds");
        for (file, bytes) in seeds {
            assert_eq!(entrance(&bytes), !file.starts_with(REFUSED), "{name}/{file}");
        }
    }
}

#[test]
fn every_fuzz_target_has_an_entrance_and_the_other_way_round() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz");
    let names = |folder: &Path| {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        names.sort();
        names
    };
    let mut known: Vec<&str> = ENTRANCES.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(names(&folder.join("fuzz_targets")), known);
    assert_eq!(names(&folder.join("seeds")), known);
    for name in known {
        let target = fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("fuzzing::{name}(")), "{name}");
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 0..12)
}

fn survives(entrance: Entrance, name: &str, which: &prop::sample::Index, damage: &Damage, bytes: &[u8]) {
    let seeds = seeds(name);
    entrance(&damaged(&which.get(&seeds).1, damage));
    entrance(bytes);
}

macro_rules! damaged_seeds_break_no_promise {
    ($($name:ident)*) => {
        proptest! {
            $(
                #[test]
                fn $name(which: prop::sample::Index, damage in damage(), bytes: Vec<u8>) {
                    survives(super::$name, stringify!($name), &which, &damage, &bytes);
                }
            )*
        }
    };
}

damaged_seeds_break_no_promise!(challenge reference link manifest config helm schema1 notification);

proptest! {
    #[test]
    fn references_of_any_make_break_no_promise(text in "[a-z]{1,3}(:[0-9]{1,4})?(/[a-z._-]{0,4}){0,3}([:@][a-z0-9:._-]{0,9}){0,2}") {
        super::reference(text.as_bytes());
    }

    #[test]
    fn links_of_any_make_break_no_promise(text in "[ -~\u{80}-\u{ff}<>,;?#\"]{0,60}(<[^>\n]{0,40}>; ?rel=\"?next)?") {
        super::link(text.as_bytes());
    }

    #[test]
    fn challenges_of_any_make_break_no_promise(
        text in "(Bearer|Basic|bearer) (realm|service|scope|error)=[ -~]{0,30},? ?(realm=\"?[ -~]{0,20}\"?)?"
    ) {
        super::challenge(text.as_bytes());
    }
}
