//! One run through a registry, from discovery to its close.

use std::convert::Infallible;
use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;
use portolan_registry::Wanted;
use portolan_shared::model::{
    ContentKind, Digest, Finding, RepositoryPatterns, RunProgress, RunState, Scope, TagFilter, limits,
};
use tokio::sync::{OnceCell, Semaphore, watch};

use super::discovery::{Discovery, most_telling};
use super::known::Known;
use super::lease::Lease;
use super::pace::Pace;
use super::pool::Pool;
use super::puts::{Puts, puts};
use super::questions::{Questions, questions};
use super::reader::Reader;
use super::repository::ToRead;
use super::source::Source;
use super::tally::Tally;
use super::terms::Terms;
use super::turns::Turns;
use super::upload::{Closing, ListedRepository, Upload, UploadError};

/// What is to be read, and how fast.
#[derive(Debug, Clone)]
pub struct Walk {
    /// Which repositories of the registry are wanted.
    pub patterns: RepositoryPatterns,
    /// Which of their tags.
    pub tags: TagFilter,
    /// The moment by which the age of tags is judged: that at which the attempt began.
    pub began: Timestamp,
    /// Which of the repositories, or of their tags, this run is about. In its [normal](Scope::normal) form.
    pub scope: Scope,
    /// An earlier attempt of the run committed something.
    pub resumed: bool,
    /// How much is in hand at once.
    pub pace: Pace,
    /// What this machine's administrator allows of it.
    pub terms: Terms,
}

/// How a walk is steered, and seen.
#[derive(Debug, Clone)]
pub struct Steering {
    /// Requests to the registry begin only while it is held.
    pub lease: Lease,
    /// Kept up to date by the walk.
    pub progress: watch::Sender<RunProgress>,
    /// Why nothing more is to be read, as soon as that is so: what is on its way is given up, and what has not been read is told.
    pub ended: watch::Receiver<Option<Finding>>,
    /// Who reads which repository, of all that read this registry from here.
    pub turns: Turns,
}

/// How a walk went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// What the control plane made of the run.
    pub state: RunState,
    /// Most bytes of content that were in hand at once.
    pub held_bytes: usize,
}

/// What everything that happens during a walk has in common.
pub(super) struct Run<'r> {
    pub(super) upload: &'r dyn Upload,
    pub(super) reader: Reader<'r>,
    pub(super) pool: Arc<Pool>,
    pub(super) manifests: Known,
    pub(super) configs: Known,
    pub(super) repository_questions: Questions<ListedRepository>,
    pub(super) manifest_questions: Questions<Digest>,
    pub(super) facts_questions: Questions<Digest>,
    pub(super) puts: Puts,
    pub(super) tally: Tally<'r>,
    /// Turns of manifests that tags point to.
    pub(super) manifest_turns: Semaphore,
    /// The turn of one large repository.
    pub(super) large: Arc<Semaphore>,
    /// Whether the registry has a referrers API, once that is known.
    pub(super) has_referrers: OnceCell<bool>,
    pub(super) resumed: bool,
    pub(super) filter: &'r TagFilter,
    pub(super) began: Timestamp,
    pub(super) pace: Pace,
    pub(super) terms: &'r Terms,
    pub(super) turns: Turns,
    /// It is about some repositories or tags only.
    pub(super) is_look: bool,
    ended: watch::Receiver<Option<Finding>>,
}

impl Walk {
    /// Walks through the registry and closes the run. Dropping the future stops at once, between any two steps: what was committed stays,
    /// the rest is the next attempt's.
    pub async fn run(
        &self,
        source: &dyn Source,
        upload: &dyn Upload,
        steering: Steering,
    ) -> Result<Walked, UploadError> {
        let pace = self.pace;
        let pool = Pool::new(pace.held_bytes);
        let (repository_questions, repositories) = questions(
            |upload, listed| upload.offer_repositories(listed),
            limits::REPOSITORIES_PER_OFFER,
            pace.repository_linger,
            &pace,
            &pool,
        );
        let (manifest_questions, manifests) = questions(
            |upload, digests| upload.offer_digests(ContentKind::Manifest, digests),
            limits::DIGESTS_PER_OFFER,
            pace.linger,
            &pace,
            &pool,
        );
        let (facts_questions, facts) = questions(
            |upload, digests| upload.offer_digests(ContentKind::ImageFacts, digests),
            limits::DIGESTS_PER_OFFER,
            pace.linger,
            &pace,
            &pool,
        );
        let (puts, sending) = puts(pace, &pool);
        let run = Run {
            upload,
            reader: Reader::new(source, steering.lease, &pace, &pool),
            pool: Arc::clone(&pool),
            manifests: Known::new(pace.remembered),
            configs: Known::new(pace.remembered),
            repository_questions,
            manifest_questions,
            facts_questions,
            puts,
            tally: Tally::new(upload, source, steering.progress),
            manifest_turns: Semaphore::new(pace.manifests.max(1)),
            large: Arc::new(Semaphore::new(1)),
            has_referrers: OnceCell::new(),
            resumed: self.resumed,
            filter: &self.tags,
            began: self.began,
            pace,
            terms: &self.terms,
            turns: steering.turns,
            is_look: !self.scope.is_whole(),
            ended: steering.ended,
        };
        let wanted = Wanted {
            patterns: self.patterns.clone(),
            names: self.scope.repositories.clone(),
        };
        // The loops end when the run is dropped, at the end of `read`; the first failure ends everything.
        let (mut closing, (), (), (), ()) = tokio::try_join!(
            Box::pin(run.read(&wanted, &self.scope)),
            repositories.run(upload),
            manifests.run(upload),
            facts.run(upload),
            sending.run(upload),
        )?;
        // What was still on its way up at the end of `read` has arrived by now.
        closing.progress.bytes_up = upload.bytes_sent();
        let state = upload.close_run(&closing).await?;
        Ok(Walked {
            state,
            held_bytes: pool.peak(),
        })
    }
}

impl<'r> Run<'r> {
    async fn read(self, wanted: &'r Wanted, scope: &Scope) -> Result<Closing, UploadError> {
        let mut discovery = Discovery::begin(&self, wanted, scope);
        let reading = async {
            let open = if discovery.is_search() {
                Source::open
            } else {
                Source::enter
            };
            if let Err(error) = self.reader.read(open).await {
                self.reader.halt(error.finding);
            }
            self.read_repositories(&mut discovery).await
        };
        tokio::select! {
            biased;
            read = reading => read?,
            never = self.ended() => match never {},
        }
        self.tally.report_rest().await?;
        Ok(self.account(discovery))
    }

    /// Ends all reading when whoever steers says so: what has not been read by then is told.
    async fn ended(&self) -> Infallible {
        let mut ended = self.ended.clone();
        if let Ok(why) = ended.wait_for(Option::is_some).await
            && let Some(finding) = &*why
        {
            tracing::warn!(%finding, "no more is read");
            self.reader.cut(finding.clone());
        }
        std::future::pending().await
    }

    /// Reads repositories as they are found. There is always one page of names waiting while the former one is being worked off.
    async fn read_repositories(&self, discovery: &mut Discovery<'_>) -> Result<(), UploadError> {
        let mut in_hand = FuturesUnordered::new();
        let mut number = 0_u64;
        let mut found = Vec::new().into_iter();
        let mut at_end = false;
        loop {
            while in_hand.len() < self.pace.repositories
                && let Some(found) = found.next()
            {
                number += 1;
                in_hand.push(Box::pin(self.read_repository(ToRead { number, found })));
            }
            if in_hand.is_empty() && at_end && found.len() == 0 {
                return Ok(());
            }
            if found.len() == 0 && !at_end {
                let next = self.while_working(&mut in_hand, discovery.next(self)).await?;
                match next {
                    Some(page) => found = page.into_iter(),
                    None => {
                        at_end = true;
                        self.tally.show(true);
                    }
                }
            } else if let Some(done) = in_hand.next().await {
                done?;
            }
        }
    }

    /// Waits for `wanted` while the repositories in hand go on.
    async fn while_working<F, T>(
        &self,
        in_hand: &mut FuturesUnordered<F>,
        wanted: impl Future<Output = Result<T, UploadError>>,
    ) -> Result<T, UploadError>
    where
        F: Future<Output = Result<(), UploadError>>,
    {
        tokio::pin!(wanted);
        loop {
            tokio::select! {
                result = &mut wanted => return result,
                Some(done) = in_hand.next(), if !in_hand.is_empty() => done?,
            }
        }
    }

    fn account(&self, discovery: Discovery<'_>) -> Closing {
        let discovered = discovery.into_outcome(self);
        let (found, filtered) = self.tally.repositories();
        // A resumed run has something to show, even if this attempt has not.
        let nothing_read = !self.resumed && !self.tally.anything_read();
        let failure = || {
            let halted = self.reader.halted().cloned();
            let unfinished = discovered.steps.iter().filter(|_| !discovered.complete);
            let of_search = unfinished.filter_map(|step| step.finding.as_ref());
            halted
                .or_else(|| self.tally.reason())
                .or_else(|| most_telling(of_search).cloned())
        };
        Closing {
            failure: if nothing_read { failure() } else { None },
            discovery_complete: discovered.complete,
            found,
            filtered,
            tags: self.tally.tags(),
            tags_filtered: self.tally.tags_filtered(),
            progress: self.tally.show(true),
            listings: self.reader.source.listings(),
            facts: self.reader.source.facts(),
            discovery: discovered.steps,
        }
    }
}
