//! The REST API, version 1. This page is its guide; `openapi.json` beside the crate is its reference and is served at
//! `/api/v1/openapi.json`.
//!
//! # Shape
//!
//! - Nouns in the plural are collections: `GET /sensors` lists, `POST /registries` adds, `GET /registries/{registry}` shows one,
//!   `PATCH` changes the members that it names and leaves the rest, `DELETE` removes. What is no change of a thing but an act on it is a
//!   `POST` to a verb below it: `POST /runs/{run}/cancel`.
//! - `{registry}` and `{sensor}` are names or ids. Names of repositories contain slashes, so repositories, tags and images are named by
//!   query parameters, never by path.
//! - Members are `snake_case`; times are RFC 3339 in UTC; digests, media types and tags are written as the OCI specifications write them.
//!   A client must accept members and words that it does not know. A request must not contain any: it is refused.
//! - Words of enumerations (states, kinds, outcomes) are those of [`portolan_shared::model`].
//!
//! # Who may ask
//!
//! `Authorization: Bearer ptl_api_…`, and nothing else: no cookies, no CORS, no query parameter. Each operation says in
//! `x-required-role` which role it takes. Everything happens in the token's tenant; what another tenant has does not exist.
//!
//! No member of this API can carry a registry credential in clear: a registry has a `credential_reference`, which names a place on the
//! sensor, or a `credential` that the client has sealed to the sensors, and that the control plane cannot open.
//!
//! # Lists
//!
//! Every list is paged: `?limit=` (1 to 1,000, 100 if not given) and `?cursor=`. The answer has `items` and `next`; `next` is the cursor
//! of the next page and `null` on the last one; a page may have fewer items than were asked for, so only `next` tells the end. Cursors are opaque and stay valid while items come and go.
//!
//! # Polling
//!
//! Every `GET` has a strong `ETag`; `If-None-Match` gives `304` without a body while nothing has changed. The tag of a registry begins with
//! its version: give it back in `If-Match` with `PATCH`, and a change by somebody else in between gives `412` instead of being lost.
//!
//! # Following changes
//!
//! `GET /changes` is no list but a feed: it begins with everything that is there and goes on with everything that changes, for ever. Ask again with
//! `next_cursor`, waiting with `wait`; or open it as a stream of server-sent events (`Accept: text/event-stream`), which ends after ten minutes at most
//! and is opened again with `Last-Event-ID`. Keep the cursor with what you made of the events: then nothing is skipped or told twice, whatever restarts.
//!
//! # Errors
//!
//! Every error has the same body: `code` (stable, for programs), `message` (for people), `request_id` (also in `X-Request-Id`, which a caller
//! may choose), and sometimes `details`. The text of a `5xx` is fixed; its cause is in the log under the request id. The table from code to
//! status is in [`ApiError`].
//!
//! # Adding an operation
//!
//! One file, one verb: extract, call one use case, render a view; never a row of the store. Add it to [`routes`], run the tests: they say
//! what of the document and of the table of refusals is missing.

pub mod audit;
mod authenticated;
mod body;
pub mod changes;
mod conditional;
pub mod credentials;
mod document;
mod error;
mod finding;
mod freshness;
pub mod history;
pub mod images;
pub mod invitations;
mod page;
mod parameters;
pub mod placements;
pub mod probes;
pub mod registries;
pub mod repositories;
mod routes;
pub mod runs;
pub mod schedules;
pub mod sensors;
pub mod settings;
pub mod status;
pub mod tags;
pub mod tokens;
pub mod totals;
pub mod webhooks;
pub mod whoami;

pub use document::document;
pub use error::{ApiError, ErrorBody, ErrorParts};
pub use finding::FindingView;
pub use freshness::{FreshnessView, SensorFreshnessView};
pub use page::{KnownPageOf, PageOf};
pub use routes::routes;
