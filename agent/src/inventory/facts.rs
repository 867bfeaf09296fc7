//! Reading image facts out of config blobs.

use portolan_shared::model::manifest::{Descriptor, ImageFacts};
use portolan_shared::model::{ContentKind, Finding, FindingCode, limits};

use super::content::{OVERHEAD, ask};
use super::known::{Claim, Spot, Standing};
use super::place::Place;
use super::pool::{Held, Work};
use super::source::Failure;
use super::upload::ContentItem;
use super::walk::Run;

impl Run<'_> {
    /// Fetches an image's config and queues the facts in it.
    pub(super) async fn fetch_facts(&self, place: &Place, config: &Descriptor, depth: usize) -> Standing {
        let wanted = ask(&self.facts_questions, &self.configs, vec![config.digest.clone()]).await;
        if wanted != [true] {
            return Standing::Whole;
        }
        let spot = Spot {
            repository: place.number,
            depth,
        };
        loop {
            let size = usize::try_from(config.size).unwrap_or(usize::MAX);
            let (held, work) = self
                .pool
                .hold(size.min(limits::CONFIG_BYTES) + OVERHEAD, depth)
                .await;
            match self.configs.claim(&config.digest, spot) {
                Claim::Done(standing) => return standing,
                Claim::Taken(done) => {
                    drop((held, work));
                    // An error means done as well.
                    let _ = done.await;
                }
                Claim::Mine(claimed) => {
                    return match self.read_facts(place, config, held, work).await {
                        Ok(()) => {
                            claimed.held();
                            Standing::Whole
                        }
                        Err(standing) => {
                            claimed.tried(standing);
                            standing
                        }
                    };
                }
            }
        }
    }

    async fn read_facts(
        &self,
        place: &Place,
        config: &Descriptor,
        mut held: Held,
        work: Work,
    ) -> Result<(), Standing> {
        let read = async {
            let blob = self
                .reader
                .read(|source| source.config(&place.name, &config.digest, limits::CONFIG_BYTES))
                .await
                .map_err(|error| match error.failure {
                    Failure::TooLarge => (FindingCode::TooLarge, None),
                    _ => (FindingCode::ConfigUnreadable, Some(error.finding)),
                })?;
            let size = blob.len() as u64;
            let facts = ImageFacts::from_config(&blob).map_err(|error| {
                let seen = format!("config {}: {error}", config.digest);
                (
                    FindingCode::ConfigUnreadable,
                    Some(Finding::new(FindingCode::ConfigUnreadable, &seen)),
                )
            })?;
            Ok((size, facts.without(&self.terms.withheld).to_json()))
        };
        let read = read.await;
        drop(work);
        match read {
            Ok((size, json)) => {
                held.reweigh(json.len() + OVERHEAD);
                let item = ContentItem::ImageFacts {
                    digest: config.digest.clone(),
                    size,
                    json: json.into(),
                };
                self.puts.push(item, Some(held)).await;
                Ok(())
            }
            Err(_) if self.reader.halted().is_some() => Err(Standing::Short),
            Err((code, finding)) => {
                let item = ContentItem::Unavailable {
                    kind: ContentKind::ImageFacts,
                    digest: config.digest.clone(),
                    size: config.size,
                    media_type: Some(config.media_type.clone()),
                    code,
                };
                self.puts.push(item, None).await;
                match finding {
                    Some(finding) => {
                        place.note(&finding);
                        Err(Standing::Short)
                    }
                    None => Ok(()),
                }
            }
        }
    }
}
