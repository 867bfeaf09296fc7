//! Taking bodies in: how many at once, how large, how long.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::StatusCode;
use futures::StreamExt as _;
use portolan_shared::model::limits;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::app::Refused;

/// A body has this long to come.
const WITHIN: Duration = Duration::from_secs(10);
/// A larger body needs one of the places for such, in bytes.
const SMALL: usize = 64 * 1024;

/// Places for bodies in hand. Whoever finds none is told to come again.
pub(super) struct Bodies {
    all: Semaphore,
    /// For those above [`SMALL`].
    large: Semaphore,
    within: Duration,
}

/// A body, for as long as it has its places.
pub(super) struct Taken<'b> {
    pub(super) bytes: Vec<u8>,
    _place: SemaphorePermit<'b>,
    _large: Option<SemaphorePermit<'b>>,
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
    /// So many at once, and of these so many large ones.
    pub(super) fn new(all: usize, large: usize) -> Self {
        Self {
            all: Semaphore::new(all),
            large: Semaphore::new(large),
            within: WITHIN,
        }
    }

    /// Takes a body in.
    pub(super) async fn take(&self, body: Body) -> Result<Taken<'_>, Untaken> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > limits::NOTIFICATION_BYTES {
            return Err(Untaken::TooLarge);
        }
        let place = self.all.try_acquire().map_err(|_| Untaken::NoPlace)?;
        let read = timeout(self.within, self.read(body, announced)).await;
        let (bytes, large) = read.unwrap_or(Err(Untaken::Slow))?;
        Ok(Taken {
            bytes,
            _place: place,
            _large: large,
        })
    }

    /// Lets a body pass of which nothing is kept: at most [`limits::PASSED_OVER_BYTES`] of it and for as long as one may take; what comes behind is not
    /// waited for. Gives how many bytes came.
    pub(super) async fn pass_over(&self, body: Body) -> Result<usize, Untaken> {
        let _place = self.all.try_acquire().map_err(|_| Untaken::NoPlace)?;
        let mut pieces = body.into_data_stream();
        let mut passed = 0;
        let all = async {
            while passed <= limits::PASSED_OVER_BYTES
                && let Some(Ok(piece)) = pieces.next().await
            {
                passed += piece.len();
            }
        };
        let _ = timeout(self.within, all).await;
        Ok(passed)
    }

    async fn read(
        &self,
        body: Body,
        announced: usize,
    ) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), Untaken> {
        let mut large = self.place_for(announced, None)?;
        let mut read = Vec::new();
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            let data = piece.map_err(|_| Untaken::Broken)?;
            large = self.place_for(read.len() + data.len(), large)?;
            read.extend_from_slice(&data);
        }
        Ok((read, large))
    }

    /// What a body of so many bytes needs, beside the place that it has.
    fn place_for<'b>(
        &'b self,
        bytes: usize,
        place: Option<SemaphorePermit<'b>>,
    ) -> Result<Option<SemaphorePermit<'b>>, Untaken> {
        match place {
            _ if bytes > limits::NOTIFICATION_BYTES => Err(Untaken::TooLarge),
            None if bytes > SMALL => {
                let place = self.large.try_acquire().map_err(|_| Untaken::NoPlace)?;
                Ok(Some(place))
            }
            place => Ok(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use futures::stream;

    use super::*;

    /// So much of a body, in pieces; then nothing more ever comes, or it ends.
    fn body(bytes: usize, ends: bool) -> Body {
        let pieces = (0..bytes.div_ceil(1_000)).map(move |n| vec![b' '; (bytes - n * 1_000).min(1_000)]);
        let pieces = stream::iter(pieces.map(Ok::<_, std::io::Error>));
        if ends {
            Body::from_stream(pieces)
        } else {
            Body::from_stream(pieces.chain(stream::pending()))
        }
    }

    #[tokio::test]
    async fn a_body_has_its_bound_announced_or_not() {
        let bodies = Bodies::new(1, 1);
        for bound in [SMALL, limits::NOTIFICATION_BYTES] {
            let taken = bodies.take(body(bound, true)).await.ok().unwrap();
            assert_eq!(taken.bytes.len(), bound);
        }
        let above = limits::NOTIFICATION_BYTES + 1;
        for body in [body(above, true), Body::from(vec![b' '; above])] {
            assert_eq!(bodies.take(body).await.err(), Some(Untaken::TooLarge));
        }
        let broken = stream::iter([Err::<Bytes, _>(std::io::Error::other("cut off"))]);
        assert_eq!(
            bodies.take(Body::from_stream(broken)).await.err(),
            Some(Untaken::Broken)
        );
    }

    #[tokio::test]
    async fn what_is_passed_over_has_its_bounds_and_a_place() {
        let bodies = Bodies {
            within: Duration::from_millis(20),
            ..Bodies::new(1, 0)
        };
        let patient = Bodies::new(1, 0);
        let larger_than_taken = 3 * limits::NOTIFICATION_BYTES;
        let passed = patient.pass_over(body(larger_than_taken, true)).await;
        assert_eq!(passed, Ok(larger_than_taken));
        let passed = bodies.pass_over(body(10, false)).await;
        assert_eq!(passed, Ok(10), "nobody waits for the rest");
        let piece = 1024 * 1024;
        let without_end = stream::repeat_with(move || Ok::<_, std::io::Error>(vec![b' '; piece]));
        let passed = patient.pass_over(Body::from_stream(without_end)).await.unwrap();
        assert!(
            (limits::PASSED_OVER_BYTES + 1..=limits::PASSED_OVER_BYTES + piece).contains(&passed),
            "{passed}"
        );
        let mut slow = Box::pin(bodies.pass_over(body(10, false)));
        assert!(futures::poll!(slow.as_mut()).is_pending());
        assert_eq!(bodies.pass_over(body(1, true)).await, Err(Untaken::NoPlace));
        assert_eq!(slow.await, Ok(10));
    }

    #[tokio::test]
    async fn so_many_are_in_hand_and_none_for_long() {
        let bodies = Bodies {
            within: Duration::from_millis(20),
            ..Bodies::new(3, 1)
        };
        let mut slow = Box::pin(futures::future::join(
            bodies.take(body(SMALL + 1, false)),
            bodies.take(body(10, false)),
        ));
        assert!(futures::poll!(slow.as_mut()).is_pending());
        assert_eq!(
            bodies.take(body(SMALL + 1, true)).await.err(),
            Some(Untaken::NoPlace)
        );
        let third = bodies.take(body(SMALL, true)).await.ok().unwrap();
        assert_eq!(bodies.take(body(1, true)).await.err(), Some(Untaken::NoPlace));
        drop(third);
        let (one, other) = slow.await;
        assert_eq!(
            (one.err(), other.err()),
            (Some(Untaken::Slow), Some(Untaken::Slow))
        );
        assert!(
            bodies.take(body(SMALL + 1, true)).await.is_ok(),
            "all were given back"
        );
    }
}
