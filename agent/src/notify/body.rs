//! Bodies: how large, how long, and how many of the large ones at once.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use portolan_shared::events::{Place, Places};
use portolan_shared::model::limits;
use tokio::time::timeout;

use super::counts::Refused;

/// A body has this long to come.
const WITHIN: Duration = Duration::from_secs(10);
/// A larger body needs one of the places for such.
pub(super) const SMALL: usize = 64 * 1024;
/// Places for larger bodies, all of which one name may have while no other needs one.
pub(super) const LARGE: usize = 4;

/// What stands in a path where the name of a registry does, whether there is one of that name or not.
pub(super) type Name = u64;

/// Places for larger bodies.
#[derive(Debug)]
pub(super) struct LargeBodies(Places<Name>);

/// A body, for as long as it has its place.
pub(super) struct Taken<'b> {
    pub(super) bytes: Vec<u8>,
    _place: Option<Place<'b, Name>>,
}

/// A body that was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    TooManyLarge,
    Slow,
    Broken,
}

impl Unread {
    /// Status, kind of refusal, and the words for the log.
    pub(super) fn told(self) -> (StatusCode, Refused, &'static str) {
        match self {
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                Refused::Body,
                "its body is too large",
            ),
            Self::TooManyLarge => (
                StatusCode::TOO_MANY_REQUESTS,
                Refused::Rate,
                "too many large bodies at once",
            ),
            Self::Slow => (
                StatusCode::REQUEST_TIMEOUT,
                Refused::Body,
                "its body did not come in time",
            ),
            Self::Broken => (
                StatusCode::REQUEST_TIMEOUT,
                Refused::Body,
                "its body did not come whole",
            ),
        }
    }
}

/// How much a request says that its body has, at least.
fn announced(body: &Incoming) -> usize {
    usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX)
}

/// Reads a body, up to so many bytes of it and as long as one may take, and keeps nothing. One that says that it has more is not read at all.
pub(super) async fn pass_over(body: &mut Incoming, most: usize) {
    if announced(body) > most {
        return;
    }
    let mut passed = 0;
    let all = async {
        while passed <= most
            && let Some(Ok(frame)) = body.frame().await
        {
            passed += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    let _ = timeout(WITHIN, all).await;
}

impl LargeBodies {
    pub(super) const fn new() -> Self {
        Self(Places::new(LARGE, LARGE))
    }

    /// For those who are not believed yet: of one name the slowest makes room for the next.
    pub(super) const fn of_strangers() -> Self {
        Self(Places::new(LARGE, LARGE).giving_way())
    }

    /// A body that came for this name. Of one that is longer than `kept` the rest is passed over, and takes no place.
    pub(super) async fn read(
        &self,
        name: Name,
        body: &mut Incoming,
        kept: usize,
    ) -> Result<Taken<'_>, Unread> {
        let announced = announced(body);
        if announced > limits::NOTIFICATION_BYTES {
            return Err(Unread::TooLarge);
        }
        let read = timeout(WITHIN, self.read_all(name, body, kept, announced.min(kept)));
        read.await.unwrap_or(Err(Unread::Slow))
    }

    async fn read_all(
        &self,
        name: Name,
        body: &mut Incoming,
        kept: usize,
        expected: usize,
    ) -> Result<Taken<'_>, Unread> {
        let mut place = self.place_for(name, expected, None)?;
        let mut bytes = Vec::with_capacity(expected);
        let mut came = 0;
        loop {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                () = lost(place.as_ref()) => return Err(Unread::TooManyLarge),
            };
            let Some(frame) = frame else {
                break;
            };
            // Trailers say nothing to us.
            let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
                continue;
            };
            came += data.len();
            if came > limits::NOTIFICATION_BYTES {
                return Err(Unread::TooLarge);
            }
            place = self.place_for(name, came.min(kept), place)?;
            bytes.extend_from_slice(&data[..data.len().min(kept - bytes.len())]);
        }
        if !place.as_ref().is_none_or(Place::fill) {
            return Err(Unread::TooManyLarge);
        }
        Ok(Taken { bytes, _place: place })
    }

    /// What a body of so many bytes needs, beside the place that it has.
    fn place_for<'b>(
        &'b self,
        name: Name,
        bytes: usize,
        place: Option<Place<'b, Name>>,
    ) -> Result<Option<Place<'b, Name>>, Unread> {
        match place {
            None if bytes > SMALL => match self.0.take(name) {
                Some(place) => Ok(Some(place)),
                None => Err(Unread::TooManyLarge),
            },
            place => Ok(place),
        }
    }
}

/// Returns when the place is lost, if there is one.
async fn lost(place: Option<&Place<'_, Name>>) {
    match place {
        Some(place) => place.lost().await,
        None => std::future::pending().await,
    }
}
