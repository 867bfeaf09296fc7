//! Bodies, read up to a bound.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::Response;

use super::failure::{Way, fault_of};
use crate::error::Fault;

/// Capacity that is set aside ahead of the bytes: a declared length is the server's word only.
const AHEAD: usize = 64 * 1024;

/// Reads the whole body; more than `bound` bytes is an error, and so is a pause longer than `idle`. A declared length decides nothing:
/// too large is what has been seen to be. What `received` says no to is not read on.
pub(super) async fn read_whole(
    response: Response,
    bound: usize,
    idle: Duration,
    way: Way<'_>,
    received: impl Fn(usize) -> Result<(), Fault>,
) -> Result<Bytes, Fault> {
    read(response, bound, idle, way, received)
        .await
        .and_then(|(body, whole)| {
            if whole {
                Ok(body)
            } else {
                Err(Fault::TooLarge { bound })
            }
        })
}

/// Reads the first `bound` bytes of the body, which need not be all.
pub(super) async fn read_start(
    response: Response,
    bound: usize,
    idle: Duration,
    way: Way<'_>,
    received: impl Fn(usize) -> Result<(), Fault>,
) -> Result<Bytes, Fault> {
    read(response, bound, idle, way, received)
        .await
        .map(|(body, _)| body)
}

async fn read(
    mut response: Response,
    bound: usize,
    idle: Duration,
    way: Way<'_>,
    received: impl Fn(usize) -> Result<(), Fault>,
) -> Result<(Bytes, bool), Fault> {
    // Most bodies come in one piece, which is then passed on as it is.
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let next = tokio::time::timeout(idle, response.chunk())
            .await
            .map_err(|_| Fault::TimedOut { after: idle })?;
        let chunk = match next {
            Ok(Some(chunk)) => chunk,
            Ok(None) if rest.is_empty() => return Ok((first, true)),
            Ok(None) => return Ok((rest.freeze(), true)),
            Err(error) => return Err(fault_of(&error, way)),
        };
        received(chunk.len())?;
        let so_far = first.len().max(rest.len());
        if so_far + chunk.len() > bound {
            return Ok((if rest.is_empty() { first } else { rest.freeze() }, false));
        }
        if first.is_empty() && rest.is_empty() {
            first = chunk;
            continue;
        }
        if rest.is_empty() {
            rest.reserve((first.len() + chunk.len()).max(AHEAD.min(bound)));
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&chunk);
    }
}
