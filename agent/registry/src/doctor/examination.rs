//! The stages in their order, and what they learn for those behind them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::{
    Diagnosis, Finding, FindingCode, RegistryFacts, RepositoryName, Stage, StageReport, Verdict, limits,
};
use portolan_shared::process::RetryPolicy;
use tokio::net::TcpStream;

use super::image::Config;
use super::notes::Notes;
use super::question::Question;
use crate::client::{Access, RegistryClient};
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::{ListedTag, Registry};
use crate::http::{Allowance, Guard, Limits, Origin, Purpose};

/// Time for one stage: what has been seen by then is reported, and the stage has failed.
const STAGE: Duration = Duration::from_secs(30);

/// One examination: what it is made of, and what it has learnt.
pub(super) struct Examination {
    pub(super) access: Access,
    /// The account of requests that everything asked here is on.
    pub(super) allowance: Arc<Allowance>,
    pub(super) origin: Origin,
    pub(super) guard: Guard,
    pub(super) question: Question,
    pub(super) facts: RegistryFacts,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) connection: Option<TcpStream>,
    pub(super) client: Option<RegistryClient>,
    pub(super) registry: Option<Registry>,
    /// Repositories that may be looked at.
    pub(super) candidates: Vec<RepositoryName>,
    /// The repository that is looked at, and some of its tags.
    pub(super) tags: Option<(RepositoryName, Vec<ListedTag>)>,
    /// The config that is looked at.
    pub(super) config: Option<Config>,
}

/// Looks at the registry, stage by stage, and calls `watch` after each of them.
///
/// Never fails: what goes wrong is in the report. It ends within the question's time, and after one refusal of the login makes no further
/// attempt with it. `access` is used with short waits whatever its limits are: somebody is looking on.
pub async fn diagnose(
    access: Access,
    question: Question,
    watch: &(dyn Fn(&StageReport) + Send + Sync),
) -> Diagnosis {
    let time = question.time.min(Duration::from_secs(limits::PROBE_SECONDS));
    let mut examination = Examination::new(access, question);
    let mut stages: Vec<StageReport> = Vec::with_capacity(Stage::ALL.len());
    let mut halted: Option<String> = None;
    let mut over = std::pin::pin!(tokio::time::sleep(time));
    for stage in Stage::ALL.iter().copied() {
        let report = match &halted {
            Some(why) => StageReport::skipped(stage, why),
            None => {
                let mut notes = Notes::default();
                let begun = examination.access.clock.uptime();
                let in_time = tokio::select! {
                    biased;
                    () = over.as_mut() => {
                        halted = Some(format!("the time of {} s for everything was over", time.as_secs()));
                        false
                    }
                    outcome = tokio::time::timeout(STAGE, Box::pin(examination.examine(stage, &mut notes))) => outcome.is_ok(),
                };
                if !in_time {
                    let seen = format!("{}: not finished in time", examination.name());
                    notes.find(Finding::new(FindingCode::Unreachable, &seen));
                }
                let took = examination.access.clock.uptime().since(begun).as_millis();
                notes.into_report(stage, u64::try_from(took).unwrap_or(u64::MAX))
            }
        };
        if report.verdict == Verdict::Failed && halted.is_none() {
            halted = Some(format!("not reached: {} failed", words(stage)));
        }
        watch(&report);
        stages.push(report);
    }
    if let Some(client) = &examination.client {
        examination.facts.realm_hosts = client.realm_hosts();
        examination.facts.storage_hosts = client.storage_hosts();
    }
    Diagnosis {
        stages,
        requests: examination.allowance.begun(),
        facts: examination.facts,
    }
}

/// A stage's name within a sentence.
fn words(stage: Stage) -> String {
    stage.as_str().replace('_', " ")
}

impl Examination {
    fn new(mut access: Access, question: Question) -> Self {
        access.limits = hasty(access.limits);
        access.trust = access.trust.remembering_anew();
        let origin = Origin {
            https: access.url.is_https(),
            host: access.url.host().to_owned(),
            port: access.url.port(),
        };
        let guard = Guard::new(Arc::clone(&access.gate), &origin.hop(Purpose::Registry));
        Self {
            allowance: access.allowance(),
            access,
            origin,
            guard,
            question,
            facts: RegistryFacts::default(),
            addresses: Vec::new(),
            connection: None,
            client: None,
            registry: None,
            candidates: Vec::new(),
            tags: None,
            config: None,
        }
    }

    /// `HOST:PORT` of the registry.
    pub(super) fn name(&self) -> String {
        self.access.url.authority()
    }

    async fn examine(&mut self, stage: Stage, notes: &mut Notes) {
        match stage {
            Stage::Policy => self.policy(notes),
            Stage::NameResolution => self.name_resolution(notes).await,
            Stage::Route => self.route(notes),
            Stage::Tcp => self.tcp(notes).await,
            Stage::Tls => self.tls(notes).await,
            Stage::Api => self.api(notes).await,
            Stage::Flavour => self.flavour_of(notes),
            Stage::Challenge => self.challenge(notes).await,
            Stage::Token => self.token(notes).await,
            Stage::Scopes => self.scopes(notes).await,
            Stage::Discovery => self.discovery(notes).await,
            Stage::Tags => self.tag_list(notes).await,
            Stage::Manifest => self.manifest(notes).await,
            Stage::Config => self.config(notes).await,
        }
    }

    /// The finding that a fault on the way to the API makes; nothing was being read yet.
    pub(super) fn finding(&self, fault: Fault) -> Finding {
        let mut finding = RegistryError::new(self.name(), Subject::Api, fault).finding();
        let reading = format!(", reading {}", Subject::Api);
        if let Some(way) = finding.seen.strip_suffix(&reading) {
            finding.seen = way.to_owned();
        }
        finding
    }

    /// What went wrong, in the product's terms where it is known.
    pub(super) async fn explained(&self, error: &RegistryError) -> Finding {
        match &self.registry {
            Some(registry) => registry.explain(error).await,
            None => error.finding(),
        }
    }
}

/// Somebody is looking on: everything is tried once more at most, and nobody is waited for patiently.
fn hasty(limits: Limits) -> Limits {
    const SHORT: Duration = Duration::from_secs(2);
    Limits {
        connect: limits.connect.min(Duration::from_secs(5)),
        idle: limits.idle.min(Duration::from_secs(10)),
        total: limits.total.min(Duration::from_secs(12)),
        list_total: limits.list_total.min(Duration::from_secs(20)),
        longest_wait: limits.longest_wait.min(SHORT),
        patience: limits.patience.min(SHORT),
        retry: RetryPolicy {
            first: limits.retry.first,
            longest: limits.retry.longest.min(SHORT),
            retries: limits.retry.retries.min(1),
        },
        ..limits
    }
}
