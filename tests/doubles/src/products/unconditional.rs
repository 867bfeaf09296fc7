//! Products that do not know conditional requests.

use http::header::IF_NONE_MATCH;

use super::stage::Question;

/// The same request without `If-None-Match`.
pub(super) fn unconditional(question: &Question) -> Question {
    let mut headers = question.headers.clone();
    headers.remove(IF_NONE_MATCH);
    Question {
        here: question.here.clone(),
        method: question.method.clone(),
        path: question.path.clone(),
        query: question.query.clone(),
        headers,
        body: question.body.clone(),
    }
}
