//! URLs for people and logs.

use std::fmt;

use url::Url;

/// Shows a URL without user information, query or fragment: presigned storage URLs carry their signature in the query.
pub struct RedactedUrl<'a>(pub &'a Url);

impl fmt::Display for RedactedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}",
            self.0.scheme(),
            self.0.host_str().unwrap_or_default()
        )?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.0.path())?;
        if self.0.query().is_some() {
            f.write_str("?…")
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for RedactedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_what_may_be_secret() {
        let url = Url::parse("https://user:pass@s3.example.com:9000/bucket/x?X-Amz-Signature=abc#f").unwrap();
        assert_eq!(
            RedactedUrl(&url).to_string(),
            "https://s3.example.com:9000/bucket/x?…"
        );
    }
}
