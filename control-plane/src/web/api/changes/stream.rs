//! The feed as a stream of server-sent events (HTML, "Server-sent events").
//!
//! The next page is read when the socket has taken the one before, in a task that ends with that: a stream is polled only while its client reads,
//! and must not hold what others need. A reader that does not read holds its socket, its place and one page, already written as text: at most
//! `limits::FEED_STREAM_EVENTS` events of `CloudEvent::MOST_BYTES`, each with its cursor. All streams together hold `limits::FEED_READERS` of these
//! at most: 57 MiB if every name in every event were as long as may be, and some 10 MiB with names as they are.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream::unfold;
use portolan_shared::model::limits;
use serde_json::json;

use crate::app::{App, AppError, CloudEvent, FeedCursor, FeedPage, FeedReader, ReaderEnd};
use crate::web::api::ApiError;

/// How often a comment says that the stream still lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After which time a browser opens a stream again that has ended, from the least to the most: not all at once after a restart.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// Proxies of the nginx family pass on at once what has this header.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

// What is said above of memory.
const _: () = assert!(
    limits::FEED_READERS
        * limits::FEED_STREAM_EVENTS as usize
        * (CloudEvent::MOST_BYTES + FeedCursor::MOST_BYTES)
        <= 57 * 1024 * 1024
);

struct Stream {
    app: Arc<App>,
    reader: FeedReader,
    /// Where it stands; what was in it is in `events`.
    page: FeedPage,
    events: VecDeque<Event>,
    limit: u32,
    begun: bool,
    ended: bool,
}

/// Answers with a stream. Where the feed cannot be read from there, that is the answer instead; where it has ended for ever, an answer by which a
/// browser does not open it again (HTML, "Server-sent events": 204).
pub(super) async fn open(
    app: Arc<App>,
    reader: FeedReader,
    cursor: &FeedCursor,
    limit: u32,
) -> Result<Response, ApiError> {
    let limit = limit.min(limits::FEED_STREAM_EVENTS);
    let mut page = app.read_feed(reader.caller().tenant, cursor, limit).await?;
    if page.ended && page.items.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let stream = Stream {
        events: written(&mut page)?,
        app,
        reader,
        page,
        limit,
        begun: false,
        ended: false,
    };
    let events = unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        Some((Ok::<_, Infallible>(event), stream))
    });
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response();
    response
        .headers_mut()
        .insert(UNBUFFERED, HeaderValue::from_static("no"));
    Ok(response)
}

/// Takes the events out of a page, as text.
fn written(page: &mut FeedPage) -> Result<VecDeque<Event>, AppError> {
    let items = std::mem::take(&mut page.items);
    items
        .into_iter()
        .map(|item| {
            let event = Event::default().id(item.cursor.to_string());
            event
                .json_data(&item.event)
                .map_err(|error| AppError::Internal(Box::new(error)))
        })
        .collect()
}

impl Stream {
    async fn next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        if !self.begun {
            // At once, so that whoever opened it sees that it is open. With the cursor: nothing may happen for long.
            self.begun = true;
            let retry = self.app.rng.between(RETRY.0, RETRY.1);
            let open = Event::default().retry(retry).comment("open");
            return Some(if self.events.is_empty() {
                open.id(self.page.next.to_string()).event("begin").data("{}")
            } else {
                open
            });
        }
        // Also within a page: who reads slowly is told nothing for which the token is not good any more.
        if let Some(end) = self.reader.end(&self.app).await {
            return Some(self.end(end));
        }
        if self.events.is_empty()
            && let Err(last) = self.follow().await
        {
            return Some(last);
        }
        self.events.pop_front()
    }

    /// Waits for events; gives the last one of the stream if there are no more to come.
    async fn follow(&mut self) -> Result<(), Event> {
        let followed = self
            .app
            .follow_feed(&mut self.reader, &mut self.page, self.limit)
            .await;
        match followed.and_then(|end| Ok((end, written(&mut self.page)?))) {
            Ok((None, events)) => {
                self.events = events;
                Ok(())
            }
            Ok((Some(end), _)) => Err(self.end(end)),
            Err(error) => Err(self.fail(error)),
        }
    }

    fn end(&mut self, end: ReaderEnd) -> Event {
        self.ended = true;
        let data = json!({"reason": end.as_str()});
        Event::default().event("end").data(data.to_string())
    }

    fn fail(&mut self, error: AppError) -> Event {
        self.ended = true;
        let code = error.code();
        // Logs what is a fault of ours, and words the rest.
        let told = ApiError::from(error);
        let data = json!({"code": code, "message": told.message()});
        Event::default().event("error").data(data.to_string())
    }
}
