//! Taking bodies in: how many at once, how large, how long.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::StatusCode;
use futures::StreamExt as _;
use portolan_shared::events::{Place, Places};
use portolan_shared::model::{RegistryId, limits};
use tokio::time::timeout;

use crate::app::Refused;

/// A body has this long to come.
const WITHIN: Duration = Duration::from_secs(10);
/// A larger body needs one of the places for such, in bytes.
const SMALL: usize = 64 * 1024;

/// So many at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Together, and of one registry.
    pub(super) all: (usize, usize),
    /// Of these, those above 64 KiB.
    pub(super) large: (usize, usize),
}

/// Places for bodies in hand. Whoever finds none is told to come again.
pub(super) struct Bodies {
    all: Places<RegistryId>,
    /// For those above [`SMALL`].
    large: Places<RegistryId>,
    within: Duration,
}

type OfRegistry<'b> = Place<'b, RegistryId>;

/// A body, for as long as it has its places.
pub(super) struct Taken<'b> {
    pub(super) bytes: Vec<u8>,
    _place: OfRegistry<'b>,
    _large: Option<OfRegistry<'b>>,
}

impl Taken<'_> {
    /// The body, without its places.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// A body that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untaken {
    TooLarge,
    NoPlace,
    Slow,
    Broken,
}

impl Untaken {
    /// The status, and why, as it is counted.
    pub(super) fn told(self) -> (StatusCode, Refused) {
        match self {
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Refused::TooLarge),
            Self::NoPlace => (StatusCode::TOO_MANY_REQUESTS, Refused::TooMany),
            Self::Slow | Self::Broken => (StatusCode::REQUEST_TIMEOUT, Refused::NoBody),
        }
    }
}

impl Bodies {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self {
            all: Places::new(bounds.all.0, bounds.all.1),
            large: Places::new(bounds.large.0, bounds.large.1),
            within: WITHIN,
        }
    }

    /// For those who are not believed yet: of one registry the slowest makes room for the next.
    pub(super) const fn of_strangers(bounds: Bounds) -> Self {
        Self {
            all: Places::new(bounds.all.0, bounds.all.1).giving_way(),
            large: Places::new(bounds.large.0, bounds.large.1).giving_way(),
            within: WITHIN,
        }
    }

    /// Takes a body in that came for this registry.
    pub(super) async fn take(&self, registry: RegistryId, body: Body) -> Result<Taken<'_>, Untaken> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > limits::NOTIFICATION_BYTES {
            return Err(Untaken::TooLarge);
        }
        let place = self.all.take(registry).ok_or(Untaken::NoPlace)?;
        let (bytes, large) = tokio::select! {
            biased;
            read = timeout(self.within, self.read(registry, body, announced)) => read.unwrap_or(Err(Untaken::Slow))?,
            () = place.lost() => return Err(Untaken::NoPlace),
        };
        whole(bytes, place, large)
    }

    /// Takes over a body that is there.
    pub(super) fn take_over(&self, registry: RegistryId, bytes: Vec<u8>) -> Result<Taken<'_>, Untaken> {
        let place = self.all.take(registry).ok_or(Untaken::NoPlace)?;
        let large = self.place_for(registry, bytes.len(), None)?;
        whole(bytes, place, large)
    }

    /// Lets a body pass of which nothing is kept: at most [`limits::PASSED_OVER_BYTES`] of it, for as long as one may take and nobody else needs the
    /// place; what comes behind is not waited for. Gives how many bytes came.
    pub(super) async fn pass_over(&self, registry: RegistryId, body: Body) -> Result<usize, Untaken> {
        let place = self.all.take(registry).ok_or(Untaken::NoPlace)?;
        let mut pieces = body.into_data_stream();
        let mut passed = 0;
        let all = async {
            while passed <= limits::PASSED_OVER_BYTES
                && let Some(Ok(piece)) = pieces.next().await
            {
                passed += piece.len();
            }
        };
        tokio::select! {
            biased;
            _ = timeout(self.within, all) => {}
            () = place.lost() => {}
        }
        Ok(passed)
    }

    async fn read(
        &self,
        registry: RegistryId,
        body: Body,
        announced: usize,
    ) -> Result<(Vec<u8>, Option<OfRegistry<'_>>), Untaken> {
        let mut large = self.place_for(registry, announced, None)?;
        let mut read = Vec::new();
        let mut pieces = body.into_data_stream();
        loop {
            let piece = tokio::select! {
                biased;
                piece = pieces.next() => piece,
                () = lost(large.as_ref()) => return Err(Untaken::NoPlace),
            };
            let Some(piece) = piece else {
                return Ok((read, large));
            };
            let data = piece.map_err(|_| Untaken::Broken)?;
            large = self.place_for(registry, read.len() + data.len(), large)?;
            read.extend_from_slice(&data);
        }
    }

    /// What a body of so many bytes needs, beside the place that it has.
    fn place_for<'b>(
        &'b self,
        registry: RegistryId,
        bytes: usize,
        place: Option<OfRegistry<'b>>,
    ) -> Result<Option<OfRegistry<'b>>, Untaken> {
        match place {
            _ if bytes > limits::NOTIFICATION_BYTES => Err(Untaken::TooLarge),
            None if bytes > SMALL => match self.large.take(registry) {
                Some(place) => Ok(Some(place)),
                None => Err(Untaken::NoPlace),
            },
            place => Ok(place),
        }
    }
}

/// A body that is there, unless one of its places was lost meanwhile.
fn whole<'b>(
    bytes: Vec<u8>,
    place: OfRegistry<'b>,
    large: Option<OfRegistry<'b>>,
) -> Result<Taken<'b>, Untaken> {
    if !place.fill() || !large.as_ref().is_none_or(Place::fill) {
        return Err(Untaken::NoPlace);
    }
    Ok(Taken {
        bytes,
        _place: place,
        _large: large,
    })
}

/// Returns when the place is lost, if there is one.
async fn lost(place: Option<&OfRegistry<'_>>) {
    match place {
        Some(place) => place.lost().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
