//! A client for doubles that speak plain HTTP.

use portolan_doubles::PrivateCa;
use portolan_shared::process::SystemClock;
use reqwest::Client;

pub(super) fn plain_client() -> Client {
    let ca = PrivateCa::new("Nobody", &SystemClock).unwrap();
    crate::client::client(&ca, &[b"http/1.1"])
}
