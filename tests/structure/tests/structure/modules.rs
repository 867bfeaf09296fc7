//! Arrows between the modules of a crate.

use portolan_structure::{File, Source};

use super::{none, tree};

/// What the files of one folder may not name.
struct Rule {
    /// The folder, a path from the root. A file alone is named with its ending.
    folder: &'static str,
    /// Modules of the same crate, and crates.
    never: &'static [&'static str],
    /// Folders and files below it for which the rule does not hold.
    except: &'static [&'static str],
    /// Why.
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        folder: "shared/src/model",
        never: &[
            "crate::tls",
            "tokio",
            "rustls",
            "reqwest",
            "std::fs",
            "std::net::TcpStream",
        ],
        except: &[],
        reason: "the vocabulary is pure: no I/O",
    },
    Rule {
        folder: "shared/src",
        never: &["backoff"],
        except: &["shared/src/process/retry.rs"],
        reason: "replacing backoff is a change to one file",
    },
    Rule {
        folder: "control-plane/src",
        never: &["sqlx"],
        except: &[],
        reason: "SQL lives in the store",
    },
    Rule {
        folder: "control-plane/store/src",
        never: &["sqlx"],
        except: &["control-plane/store/src/sqlite"],
        reason: "traits know no engine",
    },
    Rule {
        folder: "control-plane/src/app",
        never: &[
            "crate::grpc",
            "crate::web",
            "crate::cli",
            "crate::wiring",
            "axum",
            "tonic",
            "tower",
            "tower_http",
            "reqwest",
            "clap",
        ],
        except: &[],
        reason: "use cases know neither door",
    },
    Rule {
        folder: "control-plane/src/outgoing",
        never: &[
            "crate::grpc",
            "crate::web",
            "crate::cli",
            "crate::wiring",
            "crate::ca",
            "portolan_store",
            "axum",
            "tonic",
        ],
        except: &[],
        reason: "the way out knows what a letter is, and nobody's data",
    },
    Rule {
        folder: "control-plane/src/ca",
        never: &[
            "crate::app",
            "crate::grpc",
            "crate::web",
            "crate::cli",
            "crate::wiring",
            "portolan_store",
            "axum",
            "tonic",
        ],
        except: &[],
        reason: "the CA issues and remembers nothing",
    },
    Rule {
        folder: "control-plane/src/grpc",
        never: &["crate::web", "crate::cli", "crate::wiring", "axum"],
        except: &[],
        reason: "the sensors' door does not lead to the people's",
    },
    Rule {
        folder: "control-plane/src/web",
        never: &[
            "crate::grpc",
            "crate::cli",
            "crate::wiring",
            "crate::ca",
            "tonic",
            "portolan_proto",
        ],
        except: &[],
        reason: "the people's door does not lead to the sensors'",
    },
    Rule {
        folder: "control-plane/src/cli",
        never: &[
            "crate::app",
            "crate::ca",
            "crate::grpc",
            "portolan_store",
            "portolan_proto",
            "tonic",
            "axum",
        ],
        except: &[],
        reason: "commands go through the REST API only",
    },
    Rule {
        folder: "agent/src",
        never: &["portolan_registry"],
        except: &[
            "agent/src/audit",
            "agent/src/credentials",
            "agent/src/doctor",
            "agent/src/inventory",
            "agent/src/jobs",
            "agent/src/trial",
            "agent/src/wiring",
        ],
        reason: "only the work itself reads registries",
    },
    Rule {
        folder: "agent/src/uplink",
        // It implements what `inventory` and `jobs` ask of a way up, and so names those traits and their words.
        never: &[
            "crate::inventory::RegistrySource",
            "crate::inventory::Source",
            "crate::inventory::Walk",
            "crate::jobs::RegistryAccess",
            "crate::jobs::RegistryJobs",
            "crate::wiring",
            "crate::cli",
        ],
        except: &[],
        reason: "the connection does not know what it is for",
    },
    Rule {
        folder: "agent/src/inventory",
        never: &[
            "crate::uplink",
            "crate::jobs",
            "crate::keyring",
            "portolan_proto",
            "tonic",
        ],
        except: &[],
        reason: "the walk does not know how its results travel",
    },
    Rule {
        folder: "agent/src/jobs",
        never: &["crate::uplink", "crate::keyring", "portolan_proto", "tonic"],
        except: &[],
        reason: "a job does not know how it arrived",
    },
    Rule {
        folder: "agent/src/policy",
        never: &[
            "crate::uplink",
            "crate::jobs",
            "crate::inventory",
            "portolan_proto",
            "tonic",
            "tokio::net",
        ],
        except: &[],
        reason: "the policy judges and contacts nothing",
    },
    Rule {
        folder: "agent/src",
        never: &["crate::wiring"],
        except: &[
            "agent/src/wiring",
            "agent/src/cli",
            "agent/src/cli.rs",
            "agent/src/main.rs",
        ],
        reason: "only wiring knows everything, and nobody knows wiring",
    },
    Rule {
        folder: "agent/registry/src/http",
        never: &["crate::api", "crate::auth", "crate::client"],
        except: &[],
        reason: "sending knows nothing of what is asked",
    },
];

/// Folders in which a statement may stand.
const SQL_FOLDERS: &[&str] = &[
    "control-plane/store/src/sqlite",
    "control-plane/store/examples",
    "control-plane/store/tests",
];

/// The module that a file is, from the crate's root.
fn module_of(path: &str) -> Vec<String> {
    let inner = path
        .rsplit_once("src/")
        .map_or(path, |(_, inner)| inner)
        .trim_end_matches(".rs");
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// Writes `path`, as named in `module`, from the crate's root: `super::x` becomes `crate::y::x`.
fn resolved(path: &[String], module: &[String]) -> String {
    let mut at = module.to_vec();
    let mut rest = path;
    let mut is_ours = false;
    while let Some((first, after)) = rest.split_first() {
        match first.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop();
            }
            _ => break,
        }
        is_ours = true;
        rest = after;
    }
    let own: &[String] = if is_ours { &at } else { &[] };
    let mut parts: Vec<&str> = own.iter().chain(rest).map(String::as_str).collect();
    if is_ours {
        parts.insert(0, "crate");
    }
    parts.join("::")
}

/// Which of `never` the text of the file at `path` names.
fn named<'a>(path: &str, text: &str, never: &[&'a str]) -> Vec<&'a str> {
    let module = module_of(path);
    let paths: Vec<String> = Source::parse(text)
        .paths()
        .iter()
        .map(|path| resolved(path, &module))
        .collect();
    never
        .iter()
        .filter(|forbidden| {
            paths.iter().any(|path| {
                path.strip_prefix(**forbidden)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            })
        })
        .copied()
        .collect()
}

fn is_within(file: &File, folder: &str) -> bool {
    file.path == folder
        || file
            .path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

#[test]
fn modules_name_only_what_their_arrows_allow() {
    let tree = tree();
    let mut complaints = Vec::new();
    for rule in RULES {
        for file in tree.files().iter().filter(|file| {
            file.has_extension("rs")
                && is_within(file, rule.folder)
                && !rule.except.iter().any(|except| is_within(file, except))
        }) {
            for name in named(&file.path, &file.text, rule.never) {
                complaints.push(format!("{} names {name}: {}", file.path, rule.reason));
            }
        }
    }
    none(&complaints);
}

#[test]
fn every_rule_is_about_something_that_exists() {
    let tree = tree();
    let mut complaints = Vec::new();
    for rule in RULES {
        if !tree.files().iter().any(|file| is_within(file, rule.folder)) {
            complaints.push(format!("there is no {}", rule.folder));
        }
    }
    none(&complaints);
}

#[test]
fn statements_stand_in_the_store_alone() {
    let tree = tree();
    let mut complaints = Vec::new();
    for file in tree.files().iter().filter(|file| file.has_extension("rs")) {
        let is_product = ["shared/", "proto/", "agent/", "control-plane/"]
            .iter()
            .any(|folder| file.path.starts_with(folder));
        if is_product && !SQL_FOLDERS.iter().any(|folder| is_within(file, folder)) {
            let source = Source::parse(&file.text);
            for literal in source.literals().filter(|literal| is_statement(literal)) {
                complaints.push(format!(
                    "{} holds SQL: {}",
                    file.path,
                    literal.chars().take(60).collect::<String>()
                ));
            }
        }
    }
    none(&complaints);
}

fn is_statement(literal: &str) -> bool {
    let words: Vec<&str> = literal.split_whitespace().collect();
    let has = |word: &str| words.contains(&word);
    match words.first() {
        Some(&"SELECT") => has("FROM"),
        Some(&"INSERT") => has("INTO"),
        Some(&"UPDATE") => has("SET"),
        Some(&"DELETE") => has("FROM"),
        Some(&"CREATE") => has("TABLE") || has("INDEX"),
        Some(&"PRAGMA") => true,
        Some(_) | None => false,
    }
}

#[test]
fn an_arrow_that_is_not_allowed_would_be_seen() {
    let never = &["crate::grpc", "tonic", "sqlx"];
    let path = "control-plane/src/app/runs/lease.rs";
    for text in [
        "use crate::grpc::Session;",
        "use crate::{app, grpc};",
        "use super::super::super::grpc;",
        "fn f() -> Result<(), crate::grpc::E> {}",
    ] {
        assert_eq!(named(path, text, never), ["crate::grpc"], "{text}");
    }
    assert_eq!(
        named(path, "use tonic;\n#[sqlx::test]\nfn f() {}", never),
        ["tonic", "sqlx"]
    );
    assert_eq!(
        named(
            path,
            "use super::grpc; use crate::grpc_like; use tonic_build::x; // tonic::x",
            never
        ),
        Vec::<&str>::new()
    );
    assert!(is_statement("SELECT a\n FROM b") && !is_statement("DELETE the file"));
}
