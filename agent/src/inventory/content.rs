//! Fetching what tags point to, with everything below it, and sending it bottom-up.
//!
//! A digest is worked on by one at a time; whoever else needs it waits. Children are named by their hash, so nothing can lie below itself,
//! and waiting for a child comes to an end. What *refers* to a manifest is whatever the registry says, and may lie above it: so nobody waits
//! on the way down from a referrer. What would have to be waited for is done after everything else in the repository.

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, StreamExt as _};
use portolan_shared::model::manifest::{ChildRole, Manifest};
use portolan_shared::model::{ContentKind, Digest, FindingCode, TagObservation, limits};

use super::below::{self, Below};
use super::known::{Claim, Known, Spot, Standing};
use super::pace::PIECE;
use super::place::Place;
use super::pool::{Held, Work};
use super::questions::Questions;
use super::source::{Failure, Named, SourceError};
use super::upload::ContentItem;
use super::walk::Run;

/// Bytes that a manifest costs in hand beside its own.
pub(super) const OVERHEAD: usize = 1_024;

/// Where a manifest hangs.
#[derive(Clone, Copy)]
struct Branch {
    /// 0 for what a tag points to.
    depth: usize,
    /// Somewhere above it is a referrer: nobody is waited for.
    beside: bool,
    /// It is itself a referrer.
    referrer: bool,
}

impl Branch {
    const TOP: Self = Self {
        depth: 0,
        beside: false,
        referrer: false,
    };

    fn spot(self, place: &Place) -> Spot {
        Spot {
            repository: place.number,
            depth: self.depth,
        }
    }

    fn child(self) -> Self {
        Self {
            depth: self.depth + 1,
            beside: self.beside,
            referrer: false,
        }
    }

    fn referrer(self) -> Self {
        Self {
            depth: self.depth + 1,
            beside: true,
            referrer: true,
        }
    }
}

/// A manifest that is wanted.
struct Wanted {
    named: Named,
    role: ChildRole,
    branch: Branch,
}

impl Run<'_> {
    /// Fetches and queues everything that these tags point to and the control plane lacks.
    pub(super) async fn fetch_content(&self, place: &Place, tags: &[TagObservation]) {
        let mut distinct: Vec<&TagObservation> = tags.iter().collect();
        distinct.sort_unstable_by(|a, b| a.digest.cmp(&b.digest));
        distinct.dedup_by(|a, b| a.digest == b.digest);
        let mut work = stream::iter(pieces(&distinct))
            .map(|top| self.wanted(place, top, Branch::TOP))
            .buffered(2)
            .flat_map(stream::iter)
            .map(|wanted| self.fetch_in_turn(place, wanted))
            .buffer_unordered(self.pace.manifests_of_repository)
            .boxed();
        while work.next().await.is_some() {}
        drop(work);
        loop {
            let postponed: Vec<Below> = place.take_postponed().into_iter().map(Below::manifest).collect();
            if postponed.is_empty() {
                return;
            }
            self.fetch_below(place, postponed, Branch::TOP).await;
        }
    }

    /// Of some manifests those that are to be fetched.
    fn wanted<'f>(
        &'f self,
        place: &'f Place,
        below: Vec<Below>,
        branch: Branch,
    ) -> BoxFuture<'f, Vec<Wanted>> {
        async move {
            let unknown: Vec<Below> = below
                .into_iter()
                .filter(|below| {
                    let standing = self.manifests.standing(&below.named.digest, branch.spot(place));
                    standing != Some(Standing::Whole)
                })
                .collect();
            let digests = unknown.iter().map(|below| below.named.digest.clone()).collect();
            let answers = ask(&self.manifest_questions, &self.manifests, digests).await;
            unknown
                .into_iter()
                .zip(answers)
                .filter(|(_, is_wanted)| *is_wanted)
                .map(|(below, _)| Wanted {
                    named: below.named,
                    role: below.role,
                    branch,
                })
                .collect()
        }
        .boxed()
    }

    /// Fetches what a tag points to, when its turn has come. Nothing has been claimed while it waits, so nobody waits for it.
    async fn fetch_in_turn(&self, place: &Place, wanted: Wanted) {
        let _turn = self
            .manifest_turns
            .acquire()
            .await
            .expect("the semaphore lives as long as self and is never closed");
        self.fetch_manifest(place, wanted).await;
    }

    /// Fetches a manifest and everything below it, unless somebody else does: then waits for that.
    fn fetch_manifest<'f>(&'f self, place: &'f Place, wanted: Wanted) -> BoxFuture<'f, Standing> {
        async move {
            let standing = self.fetch_once(place, &wanted).await;
            if standing == Standing::Later && wanted.branch.referrer {
                place.postpone(wanted.named);
                return Standing::Whole;
            }
            standing
        }
        .boxed()
    }

    async fn fetch_once(&self, place: &Place, wanted: &Wanted) -> Standing {
        if self.reader.halted().is_some() {
            return Standing::Short;
        }
        if wanted.branch.depth > limits::INDEX_DEPTH {
            // How deep it lies depends on who names it: elsewhere it may be read, and whoever names it here is not all that it could be.
            self.give_up(place, wanted, FindingCode::ManifestTooDeep, true)
                .await;
            return Standing::Deep;
        }
        loop {
            let (held, work) = self
                .pool
                .hold(weight(wanted.named.size), wanted.branch.depth)
                .await;
            match self
                .manifests
                .claim(&wanted.named.digest, wanted.branch.spot(place))
            {
                Claim::Done(standing) => return standing,
                Claim::Taken(_) if wanted.branch.beside => return Standing::Later,
                Claim::Taken(done) => {
                    drop((held, work));
                    // An error means done as well.
                    let _ = done.await;
                }
                Claim::Mine(claimed) => {
                    let fetched = self.fetch_claimed(place, wanted, held, work).await;
                    match fetched {
                        Fetched::Everywhere(Standing::Whole) => claimed.held(),
                        Fetched::Everywhere(standing) | Fetched::Here(standing) => {
                            claimed.tried(standing);
                        }
                    }
                    return fetched.standing();
                }
            }
        }
    }

    async fn fetch_claimed(&self, place: &Place, wanted: &Wanted, mut held: Held, work: Work) -> Fetched {
        // The size is somebody's word: the client reads up to its bound, and what is larger shows then.
        let digest = &wanted.named.digest;
        if !below::is_verifiable(digest) {
            let standing = self
                .give_up(place, wanted, FindingCode::DigestMismatch, true)
                .await;
            return Fetched::Everywhere(standing);
        }
        let served = match self
            .reader
            .read(|source| source.manifest(&place.name, digest))
            .await
        {
            Ok(served) => served,
            Err(error) => return self.not_served(place, wanted, &error).await,
        };
        drop(work);
        self.tally.manifest_fetched();
        held.reweigh(served.bytes.len() + OVERHEAD);
        let Ok(mut manifest) = Manifest::parse(&served.bytes, served.media_type.as_ref()) else {
            let standing = self
                .give_up(place, wanted, FindingCode::ManifestMalformed, true)
                .await;
            return Fetched::Everywhere(standing);
        };
        let children = below::children(&mut manifest);
        let config = below::image_config(&manifest, wanted.role).cloned();
        drop(manifest);

        let mut standing = self.fetch_below(place, children, wanted.branch.child()).await;
        if let Some(config) = config {
            standing = standing.max(self.fetch_facts(place, &config, wanted.branch.depth + 1).await);
        }
        if wanted.role == ChildRole::Manifest && wanted.branch.depth < limits::INDEX_DEPTH {
            standing = standing.max(
                self.fetch_referrers(place, digest, wanted.branch.referrer())
                    .await,
            );
        }
        if standing == Standing::Later {
            return Fetched::Here(standing);
        }
        if self.reader.halted().is_some() {
            // What is missing below it was not looked for: nothing is to be recorded of it.
            return Fetched::Here(Standing::Short);
        }
        if standing == Standing::Deep && wanted.branch.depth == 0 {
            // Nobody reads more of it than somebody who begins with it.
            standing = Standing::Whole;
        }
        let item = ContentItem::Manifest {
            digest: digest.clone(),
            served_as: served.media_type,
            bytes: served.bytes,
            incomplete: standing != Standing::Whole,
        };
        self.puts.push(item, Some(held)).await;
        Fetched::Everywhere(standing)
    }

    /// Fetches manifests that another one names.
    async fn fetch_below(&self, place: &Place, below: Vec<Below>, branch: Branch) -> Standing {
        let mut standing = Standing::Whole;
        let mut rest = below.into_iter();
        loop {
            let piece: Vec<Below> = rest.by_ref().take(PIECE).collect();
            if piece.is_empty() {
                return standing;
            }
            let wanted = self.wanted(place, piece, branch).await;
            let mut work = stream::iter(wanted)
                .map(|wanted| self.fetch_manifest(place, wanted))
                .buffer_unordered(self.pace.children);
            while let Some(one) = work.next().await {
                standing = standing.max(one);
            }
        }
    }

    /// Fetches what refers to a manifest. It is stored before its subject: whoever holds the subject has looked for these.
    async fn fetch_referrers(&self, place: &Place, subject: &Digest, branch: Branch) -> Standing {
        let list = match self.referrers(place, subject).await {
            Ok(list) => list,
            Err(error) => {
                place.note(&error.finding);
                return Standing::Short;
            }
        };
        if let Some(cut) = &list.cut {
            // Looking again would show no more of them.
            place.note(cut);
        }
        let below = list
            .referrers
            .into_iter()
            .filter(|named| named.digest != *subject)
            .map(Below::manifest)
            .collect();
        match self.fetch_below(place, below, branch).await {
            // A referrer is no part of its subject: only what could not be read is looked for again.
            Standing::Deep => Standing::Whole,
            standing => standing,
        }
    }

    async fn not_served(&self, place: &Place, wanted: &Wanted, error: &SourceError) -> Fetched {
        match error.failure {
            Failure::Missing | Failure::UnknownRepository if wanted.branch.depth > 0 => Fetched::Here(
                self.give_up(place, wanted, FindingCode::ManifestChildMissing, true)
                    .await,
            ),
            Failure::TooLarge => Fetched::Everywhere(
                self.give_up(place, wanted, FindingCode::ManifestTooLarge, true)
                    .await,
            ),
            Failure::Everywhere => Fetched::Here(Standing::Short),
            Failure::Missing
            | Failure::UnknownRepository
            | Failure::Denied
            | Failure::Passing
            | Failure::Lasting => {
                place.note(&error.finding);
                Fetched::Here(self.give_up(place, wanted, error.finding.code, false).await)
            }
        }
    }

    /// Records that a manifest could not be had: for good, or so that it stays wanted.
    async fn give_up(&self, place: &Place, wanted: &Wanted, code: FindingCode, for_good: bool) -> Standing {
        tracing::debug!(repository = %place.name, digest = %wanted.named.digest, %code, "manifest not read");
        let item = ContentItem::Unavailable {
            kind: ContentKind::Manifest,
            digest: wanted.named.digest.clone(),
            size: wanted.named.size,
            media_type: wanted.named.media_type.clone(),
            code,
        };
        self.puts.push(item, None).await;
        if for_good {
            Standing::Whole
        } else {
            Standing::Short
        }
    }
}

/// What tags point to, in pieces that can be offered.
fn pieces<'t>(distinct: &'t [&'t TagObservation]) -> impl Iterator<Item = Vec<Below>> + 't {
    distinct.chunks(PIECE).map(|piece| {
        piece
            .iter()
            .map(|tag| Named {
                digest: tag.digest.clone(),
                size: tag.size,
                media_type: tag.media_type.clone(),
            })
            .map(Below::manifest)
            .collect()
    })
}

/// What came of a manifest, and for whom that holds.
enum Fetched {
    /// For every repository that names it.
    Everywhere(Standing),
    /// For this repository; by way of another it may be had.
    Here(Standing),
}

impl Fetched {
    fn standing(&self) -> Standing {
        match self {
            Self::Everywhere(standing) | Self::Here(standing) => *standing,
        }
    }
}

fn weight(size: u64) -> usize {
    // A registry that does not say the size is trusted to serve what manifests mostly weigh.
    const USUAL: usize = 4 * 1_024;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    OVERHEAD
        + if size == 0 {
            USUAL
        } else {
            size.min(limits::MANIFEST_BYTES)
        }
}

/// For each digest whether it is to be fetched. What the control plane holds is remembered.
pub(super) async fn ask(questions: &Questions<Digest>, known: &Known, digests: Vec<Digest>) -> Vec<bool> {
    let asked = digests.clone();
    let answers = questions.ask(digests).await;
    for (digest, _) in asked.iter().zip(&answers).filter(|(_, wanted)| !**wanted) {
        known.note_held(digest);
    }
    answers
}
