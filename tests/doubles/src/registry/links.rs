//! The `Link` header, well formed and otherwise.

use axum::extract::Request;
use http::header;

use super::behaviour::Paging;

/// A link to the page of `request`'s list that the query `next` stands for.
pub(super) fn next(paging: Paging, request: &Request, next: &str) -> String {
    let path = request.uri().path();
    let host = request
        .uri()
        .authority()
        .map(ToString::to_string)
        .or_else(|| {
            request
                .headers()
                .get(header::HOST)?
                .to_str()
                .ok()
                .map(str::to_owned)
        })
        .unwrap_or_default();
    match paging {
        Paging::Absolute => format!("<https://{host}{path}?{next}>; rel=\"next\""),
        Paging::WrongHost => {
            format!("<https://registry.internal.example:5443{path}?{next}>; rel=\"next\"")
        }
        Paging::PreviousAndNext => {
            format!("<{path}?before=a&n=1>; rel=\"previous\", <{path}?{next}>; rel=\"next\"")
        }
        Paging::Sloppy => format!("<{path}?{next}>; title=more; REL=next; type=json"),
        Paging::Loop => format!(
            "<{}>; rel=\"next\"",
            request.uri().path_and_query().map_or(path, |here| here.as_str())
        ),
        Paging::Relative
        | Paging::OpaqueCursor
        | Paging::EmptyLastPage
        | Paging::NoLink
        | Paging::Endless => {
            format!("<{path}?{next}>; rel=\"next\"")
        }
    }
}
