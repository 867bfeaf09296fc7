//! That the suite has every case.

#[test]
fn every_case_is_in_the_suite() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let suite: String = ["suite.rs", "suite_of_runs.rs", "cases.rs"]
        .iter()
        .map(|file| std::fs::read_to_string(folder.join(file)).unwrap())
        .collect();
    let mut cases = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if [
            "site.rs",
            "lib.rs",
            "suite.rs",
            "suite_of_runs.rs",
            "cases.rs",
            "tests.rs",
        ]
        .iter()
        .any(|file| path.ends_with(file))
        {
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let case = line.strip_prefix("pub async fn ");
            if let Some(rest) = case {
                let name = rest.split('(').next().unwrap();
                assert!(
                    suite.contains(&format!(" {name},\n")),
                    "{name} of {} is in no suite",
                    path.display()
                );
                cases += 1;
            }
        }
    }
    assert!(cases > 50, "{cases}");
}
