//! Redirects, by our own rules: few, never from https to http, the login never along.

use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use url::Url;

use super::limits::URL_BYTES;
use crate::error::Fault;

/// Where an answer redirects to; `None` if it does not.
pub(super) fn target(from: &Url, status: StatusCode, headers: &HeaderMap) -> Result<Option<Url>, Fault> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refused = |why| Err(Fault::Redirect { to: None, why });
    let Some(location) = headers.get(LOCATION) else {
        return refused("without saying where to");
    };
    if location.len() > URL_BYTES {
        return refused("to an address that is too long");
    }
    let Some(to) = std::str::from_utf8(location.as_bytes())
        .ok()
        .and_then(|text| from.join(text.trim()).ok())
    else {
        return refused("to something that is no URL");
    };
    let to_host = to.host_str().map(str::to_owned);
    let refused = |why| {
        Err(Fault::Redirect {
            to: to_host.clone(),
            why,
        })
    };
    match to.scheme() {
        "https" => {}
        "http" if from.scheme() == "http" => {}
        "http" => return refused("from https to http"),
        _ => return refused("to a scheme that is not HTTP"),
    }
    if to_host.is_none() {
        return refused("to no host");
    }
    if !to.username().is_empty() || to.password().is_some() {
        return refused("to a URL with a user name");
    }
    Ok(Some(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn follow(location: &str) -> Result<Option<String>, &'static str> {
        let from = Url::parse("https://r.example.com/v2/a/blobs/x").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_str(location).unwrap());
        match target(&from, StatusCode::TEMPORARY_REDIRECT, &headers) {
            Ok(to) => Ok(to.map(String::from)),
            Err(Fault::Redirect { why, .. }) => Err(why),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn follows_https_and_relative_places_only() {
        assert_eq!(follow("../y").unwrap().unwrap(), "https://r.example.com/v2/a/y");
        assert_eq!(
            follow("//s.example.com/z?sig=1").unwrap().unwrap(),
            "https://s.example.com/z?sig=1"
        );
        assert_eq!(follow("http://r.example.com/"), Err("from https to http"));
        assert_eq!(follow("file:///etc/passwd"), Err("to a scheme that is not HTTP"));
        assert_eq!(
            follow("https://user@s.example.com/"),
            Err("to a URL with a user name")
        );
        assert_eq!(follow("https://[::"), Err("to something that is no URL"));
        assert_eq!(
            follow(&format!("/{}", "a".repeat(URL_BYTES))),
            Err("to an address that is too long")
        );
        let from = Url::parse("https://r.example.com/").unwrap();
        assert!(matches!(
            target(&from, StatusCode::OK, &HeaderMap::new()),
            Ok(None)
        ));
        assert!(matches!(
            target(&from, StatusCode::NOT_MODIFIED, &HeaderMap::new()),
            Ok(None)
        ));
        assert!(target(&from, StatusCode::FOUND, &HeaderMap::new()).is_err());
    }
}
