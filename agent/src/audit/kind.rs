//! The kinds of data that can leave this machine, in one list.

/// A kind of data that goes to the control plane. What is in the list is what an agent can send: every message and request of the uplink is one
/// of these, and `deploy/agent/outbound.md` has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataKind {
    /// Of a registry: names.
    RepositoryNames,
    /// Of a registry: tags.
    Tags,
    /// Of a registry: digests that are offered.
    Digests,
    /// Of a registry: manifests.
    Manifests,
    /// Of a registry: facts of image configs.
    ImageFacts,
    /// Of a registry: what could not be seen.
    Coverage,
    /// Why something did not work.
    Findings,
    /// The account at the end of a run.
    RunAccounts,
    /// What a connection test saw.
    ProbeReports,
    /// Answers to offered jobs.
    JobAnswers,
    /// How far a job came.
    Progress,
    /// What enrolment asks with.
    EnrolmentRequests,
    /// Proofs of identity.
    IdentityProofs,
    /// Requests for certificates.
    CertificateRequests,
    /// The keys that credentials are sealed to.
    SealingKeys,
    /// Credentials, sealed again by this sensor to itself.
    SealedCredentials,
    /// What tells a sensor from its copy.
    ContinuityTokens,
    /// What is told of this machine.
    MachineFacts,
    /// What is told of the local policy.
    PolicySummary,
    /// How a session begins, beside the facts of the machine and the policy.
    SessionOpenings,
    /// Signs of life.
    Heartbeats,
    /// Where this log stands.
    AuditHeads,
    /// What registries announced.
    PushEvents,
    /// What confirms that something arrived.
    Acknowledgements,
    /// What this list has no name for yet.
    Other,
}

/// What has data sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A sync of a registry.
    Sync,
    /// A session, and what it needs: certificates and keys.
    Session,
    /// The enrolment of this machine.
    Enrolment,
    /// A connection test that the control plane asked for.
    ConnectionTest,
    /// A registry that notified the listener for push events.
    Notification,
}

impl Occasion {
    /// In words.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::Sync => "a sync",
            Self::Session => "a session",
            Self::Enrolment => "an enrolment",
            Self::ConnectionTest => "a connection test",
            Self::Notification => "a notification",
        }
    }
}

impl DataKind {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::RepositoryNames,
        Self::Tags,
        Self::Digests,
        Self::Manifests,
        Self::ImageFacts,
        Self::Coverage,
        Self::Findings,
        Self::RunAccounts,
        Self::ProbeReports,
        Self::JobAnswers,
        Self::Progress,
        Self::EnrolmentRequests,
        Self::IdentityProofs,
        Self::CertificateRequests,
        Self::SealingKeys,
        Self::SealedCredentials,
        Self::ContinuityTokens,
        Self::MachineFacts,
        Self::PolicySummary,
        Self::SessionOpenings,
        Self::Heartbeats,
        Self::AuditHeads,
        Self::PushEvents,
        Self::Acknowledgements,
        Self::Other,
    ];

    /// Its name, in the log and for people. Never changes between releases.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RepositoryNames => "repository names",
            Self::Tags => "tags",
            Self::Digests => "digests",
            Self::Manifests => "manifests",
            Self::ImageFacts => "image facts",
            Self::Coverage => "coverage",
            Self::Findings => "findings",
            Self::RunAccounts => "run accounts",
            Self::ProbeReports => "probe reports",
            Self::JobAnswers => "job answers",
            Self::Progress => "progress",
            Self::EnrolmentRequests => "enrolment requests",
            Self::IdentityProofs => "identity proofs",
            Self::CertificateRequests => "certificate requests",
            Self::SealingKeys => "sealing keys",
            Self::SealedCredentials => "sealed credentials",
            Self::ContinuityTokens => "continuity tokens",
            Self::MachineFacts => "machine facts",
            Self::PolicySummary => "policy summary",
            Self::SessionOpenings => "session openings",
            Self::Heartbeats => "heartbeats",
            Self::AuditHeads => "audit heads",
            Self::PushEvents => "push events",
            Self::Acknowledgements => "acknowledgements",
            Self::Other => "other",
        }
    }

    /// What is in it.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::RepositoryNames => "names of repositories, each with a hash of its tags",
            Self::Tags => {
                "tags with digest, media type, size and time; names of tags that the filter leaves out"
            }
            Self::Digests => "digests, to ask which are wanted",
            Self::Manifests => "manifests as the registry serves them",
            Self::ImageFacts => {
                "facts of image configs, never the values of environment variables, and without what the policy withholds"
            }
            Self::Coverage => "which repositories were not seen completely or were left out",
            Self::Findings => {
                "what did not work, by its code, with what was seen: hosts, addresses, rules of the policy"
            }
            Self::RunAccounts => {
                "how a run went: methods of discovery, counts, product and version of the registry"
            }
            Self::ProbeReports => {
                "what each stage of a connection test saw: addresses, certificates, product, findings"
            }
            Self::JobAnswers => "whether an offered job is taken, and how it ended",
            Self::Progress => "counts of a job that runs",
            Self::EnrolmentRequests => {
                "the token's secret, public keys, host name, operating system, architecture, version of the agent"
            }
            Self::IdentityProofs => "the sensor's id and a signature of its identity key",
            Self::CertificateRequests => {
                "a public key; in a recovery also the continuity token, the boot id and the machine's fingerprint"
            }
            Self::SealingKeys => {
                "public keys that credentials are sealed to, and the question what is sealed to former ones"
            }
            Self::SealedCredentials => "ciphertext that this sensor alone can open",
            Self::ContinuityTokens => "what the control plane gave, or a hash of it",
            Self::MachineFacts => {
                "host name, operating system, architecture, version of the agent, boot id, a salted fingerprint"
            }
            Self::PolicySummary => "SHA-256 of policy.toml, and one line: how many entries, which hosts",
            Self::SessionOpenings => {
                "protocol version, starts of the agent, clock and uptime, job slots, which attempts run, where registries can notify it"
            }
            Self::Heartbeats => {
                "which attempts run, free slots, end of the certificate, why the last renewal failed"
            }
            Self::AuditHeads => {
                "where this log stands, digests of its records, which checkpoints of the control plane's log are kept or were refused"
            }
            Self::PushEvents => {
                "what registries announced: name of the registry, repository (if the policy lets it be read), tag, digest, time; how many notifications were none"
            }
            Self::Acknowledgements => "that a trust bundle was stored, that this sensor is alive, goodbye",
            Self::Other => "requests that this list has no name for: there should be none",
        }
    }

    /// What has it sent.
    #[must_use]
    pub fn occasion(self) -> Occasion {
        match self {
            Self::RepositoryNames
            | Self::Tags
            | Self::Digests
            | Self::Manifests
            | Self::ImageFacts
            | Self::Coverage
            | Self::Findings
            | Self::RunAccounts
            | Self::JobAnswers
            | Self::Progress => Occasion::Sync,
            Self::ProbeReports => Occasion::ConnectionTest,
            Self::EnrolmentRequests => Occasion::Enrolment,
            Self::PushEvents => Occasion::Notification,
            Self::IdentityProofs
            | Self::CertificateRequests
            | Self::SealingKeys
            | Self::SealedCredentials
            | Self::ContinuityTokens
            | Self::MachineFacts
            | Self::PolicySummary
            | Self::SessionOpenings
            | Self::Heartbeats
            | Self::AuditHeads
            | Self::Acknowledgements
            | Self::Other => Occasion::Session,
        }
    }

    /// Whether it goes on and on as long as a session or a job does: not worth a record each minute.
    pub(super) fn is_steady(self) -> bool {
        matches!(self, Self::Heartbeats | Self::AuditHeads | Self::Progress)
    }
}

#[cfg(test)]
mod tests {
    use super::DataKind;

    /// The rows of the page for administrators.
    fn rows() -> Vec<String> {
        let row = |kind: DataKind| {
            let part_of = kind.occasion().says();
            format!("| {} | {part_of} | {} |", kind.name(), kind.says())
        };
        DataKind::ALL.map(row).to_vec()
    }

    #[test]
    fn the_page_for_administrators_has_every_kind_and_no_other() {
        let page = include_str!("../../../deploy/agent/outbound.md");
        let table: Vec<&str> = page
            .lines()
            .skip_while(|line| !line.starts_with("| kind |"))
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .collect();
        assert_eq!(table, rows(), "expected:\n{}", rows().join("\n"));
    }

    #[test]
    fn no_two_kinds_have_one_name() {
        let mut names = DataKind::ALL.map(DataKind::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DataKind::ALL.len());
    }
}
