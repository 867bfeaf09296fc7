//! Why there was no answer, in our own words: those of the libraries carry the URL.

use std::error::Error;
use std::io;

use portolan_shared::model::printable;
use portolan_shared::tls::ChainRefused;

use crate::app::{Failure, FailureWord};

/// Longest detail, in bytes; it is cut above.
const DETAIL: usize = 256;

pub(super) fn failure(word: FailureWord, detail: &str) -> Failure {
    Failure {
        word,
        detail: printable(detail, DETAIL),
    }
}

/// What an error of the HTTP client means.
pub(super) fn of(error: &reqwest::Error) -> Failure {
    if let Some(refused) = ChainRefused::find_in(error) {
        let detail = format!("the endpoint's certificate was refused: {}", refused.reason);
        return failure(FailureWord::Certificate, &detail);
    }
    if error.is_timeout() {
        return failure(FailureWord::Timeout, "the endpoint did not answer in time");
    }
    let tls = find::<rustls::Error>(error);
    if let Some(tls) = tls {
        return failure(FailureWord::Tls, &format!("TLS failed: {tls}"));
    }
    let kind = find::<io::Error>(error).map(io::Error::kind);
    if error.is_connect() {
        let detail = match kind {
            Some(kind) => format!("no connection: {kind}"),
            None => "no connection".to_owned(),
        };
        return failure(FailureWord::Connect, &detail);
    }
    let detail = match kind {
        Some(kind) => format!("the endpoint hung up: {kind}"),
        None => "the endpoint hung up, or did not answer as HTTP has it".to_owned(),
    };
    failure(FailureWord::Protocol, &detail)
}

/// Finds an error of this type among an error and its sources.
fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        // What an I/O error carries stands behind its own accessor, and says more than itself.
        let carried = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|carried| carried as &(dyn Error + 'static));
        if let Some(found) = carried.and_then(find::<E>) {
            return Some(found);
        }
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
