//! The checks.

/// What a check needs that is not there on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A program, and the Debian package that has it.
    Program {
        /// The program's name.
        program: &'static str,
        /// The package's name.
        package: &'static str,
    },
    /// cargo-deny, in the version that `deny.toml` is written for.
    CargoDeny,
    /// The database of security advisories, which cargo-deny fetches.
    Advisories,
}

/// One check: a cargo command that succeeds or fails.
#[derive(Debug)]
pub(crate) struct Check {
    /// What it is called in tables and arguments.
    pub(crate) name: &'static str,
    /// Arguments to cargo.
    pub(crate) arguments: &'static [&'static str],
    /// Environment of the command.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// What is known once it has passed.
    pub(crate) proves: &'static str,
    /// What must be there first.
    pub(crate) needs: &'static [Need],
}

impl Check {
    /// The command as a person would type it.
    pub(crate) fn command_line(&self) -> String {
        let mut line = String::new();
        for (name, value) in self.environment {
            line.push_str(&format!("{name}='{value}' "));
        }
        line + "cargo " + &self.arguments.join(" ")
    }
}

const REGISTRY: Need = Need::Program {
    program: "docker-registry",
    package: "docker-registry",
};
const SKOPEO: Need = Need::Program {
    program: "skopeo",
    package: "skopeo",
};

const SYSTEMD_ANALYZE: Need = Need::Program {
    program: "systemd-analyze",
    package: "systemd",
};
const NFT: Need = Need::Program {
    program: "nft",
    package: "nftables",
};

/// All checks, quick ones first. `build` and `test` choose the same targets of the same packages, so that nothing is compiled twice.
pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "fmt",
        arguments: &["fmt", "--all", "--check"],
        environment: &[],
        proves: "one layout of code",
        needs: &[],
    },
    Check {
        name: "clippy",
        arguments: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        environment: &[],
        proves: "no warning; no banned global",
        needs: &[],
    },
    Check {
        name: "doc",
        arguments: &["doc", "--workspace", "--no-deps"],
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
        proves: "documentation has no dead link",
        needs: &[],
    },
    Check {
        name: "deny",
        arguments: &["deny", "check", "-D", "warnings", "bans", "licenses", "sources"],
        environment: &[],
        proves: "licences, sources and bans of deny.toml",
        needs: &[Need::CargoDeny],
    },
    Check {
        name: "advisories",
        arguments: &["deny", "--offline", "check", "advisories"],
        environment: &[],
        proves: "no known vulnerability without a reason",
        needs: &[Need::CargoDeny, Need::Advisories],
    },
    Check {
        name: "build",
        arguments: &["build", "--workspace", "--bins", "--tests"],
        environment: &[],
        proves: "everything compiles",
        needs: &[],
    },
    Check {
        name: "test",
        arguments: &["test", "--workspace", "--no-fail-fast"],
        environment: &[],
        proves: "unit, property, conformance, end-to-end, structure and doc tests",
        needs: &[REGISTRY, SKOPEO, SYSTEMD_ANALYZE, NFT],
    },
    Check {
        name: "demo",
        arguments: &["demo", "--", "--once"],
        environment: &[],
        proves: "the main job works with the real programs",
        needs: &[],
    },
];
