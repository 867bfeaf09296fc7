//! The feed as a stream of server-sent events (HTML, "Server-sent events").
//!
//! Nothing runs beside the connection: the next page is read when the socket has taken the one before. A reader that does not read holds its
//! socket, its place and one page.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream::unfold;
use portolan_shared::model::RegistryId;
use serde_json::json;

use crate::app::{App, AppError, FeedCursor, FeedItem, FeedReader, ReaderEnd};
use crate::web::api::ApiError;

/// How often a comment says that the stream still lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After which time a browser opens a stream again that has ended.
const RETRY: Duration = Duration::from_secs(1);
/// Proxies of the nginx family pass on at once what has this header.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

struct Stream {
    app: Arc<App>,
    reader: FeedReader,
    registry: Option<RegistryId>,
    cursor: FeedCursor,
    limit: u32,
    begun: bool,
    ended: bool,
    page: VecDeque<FeedItem>,
}

/// Answers with a stream. Where the feed cannot be read from there, that is the answer instead.
pub(super) async fn open(
    app: Arc<App>,
    reader: FeedReader,
    registry: Option<RegistryId>,
    cursor: FeedCursor,
    limit: u32,
) -> Result<Response, ApiError> {
    let first = app
        .read_feed(reader.caller().tenant, registry, &cursor, limit)
        .await?;
    let stream = Stream {
        app,
        reader,
        registry,
        cursor: first.next,
        limit,
        begun: false,
        ended: false,
        page: first.items.into(),
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

impl Stream {
    async fn next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        if !self.begun {
            // At once, so that whoever opened it sees that it is open. With the cursor: nothing may happen for long.
            self.begun = true;
            let open = Event::default().retry(RETRY).comment("open");
            return Some(if self.page.is_empty() {
                open.id(self.cursor.to_string()).event("begin").data("{}")
            } else {
                open
            });
        }
        if self.page.is_empty() {
            let followed = self
                .app
                .follow_feed(&mut self.reader, self.registry, &mut self.cursor, self.limit)
                .await;
            match followed {
                Ok(Ok(page)) => self.page = page.items.into(),
                Ok(Err(end)) => return Some(self.end(end)),
                Err(error) => return Some(self.fail(error)),
            }
        }
        let item = self.page.pop_front()?;
        let event = Event::default().id(item.cursor.to_string());
        Some(match event.json_data(&item.event) {
            Ok(event) => event,
            Err(error) => self.fail(AppError::Internal(Box::new(error))),
        })
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
