//! Which requests a fault hits.

use http::Method;

/// Which requests are meant: of one method or all, with a text in path and query or with any. Of those that match, the rule
/// leaves the first ones alone, then hits every n-th, and stops after a number of hits; by default it hits all.
#[derive(Debug, Clone)]
pub struct Rule {
    method: Option<Method>,
    contains: String,
    ends_with: String,
    after: u64,
    every: u64,
    times: u64,
}

impl Rule {
    /// Every request.
    #[must_use]
    pub fn all() -> Self {
        Self {
            method: None,
            contains: String::new(),
            ends_with: String::new(),
            after: 0,
            every: 1,
            times: u64::MAX,
        }
    }

    /// Every request whose path and query contain `text`.
    #[must_use]
    pub fn on(text: &str) -> Self {
        Self {
            contains: text.to_owned(),
            ..Self::all()
        }
    }

    /// Those alone whose path and query end with `text`.
    #[must_use]
    pub fn ending(mut self, text: &str) -> Self {
        text.clone_into(&mut self.ends_with);
        self
    }

    /// Those alone with this method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Leaves the first `requests` matching ones alone.
    #[must_use]
    pub fn after(mut self, requests: u64) -> Self {
        self.after = requests;
        self
    }

    /// Hits every n-th matching request: with 3 the third, the sixth, and so on.
    #[must_use]
    pub fn every(mut self, n: u64) -> Self {
        self.every = n.max(1);
        self
    }

    /// Stops after this many hits.
    #[must_use]
    pub fn times(mut self, hits: u64) -> Self {
        self.times = hits;
        self
    }

    /// Stops after the first hit.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    pub(super) fn matches(&self, method: &Method, target: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method)
            && target.contains(&self.contains)
            && target.ends_with(&self.ends_with)
    }

    /// Whether the `matched`-th matching request (from 1) is hit, `hits` having been hit before.
    pub(super) fn hits(&self, matched: u64, hits: u64) -> bool {
        hits < self.times && matched > self.after && (matched - self.after).is_multiple_of(self.every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(rule: &Rule, requests: u64) -> Vec<u64> {
        let mut hits = Vec::new();
        for request in 1..=requests {
            if rule.hits(request, hits.len() as u64) {
                hits.push(request);
            }
        }
        hits
    }

    #[test]
    fn counts_as_it_says() {
        assert_eq!(hit(&Rule::all(), 3), [1, 2, 3]);
        assert_eq!(hit(&Rule::all().every(3), 9), [3, 6, 9]);
        assert_eq!(hit(&Rule::all().after(2).every(2).times(2), 20), [4, 6]);
        assert_eq!(hit(&Rule::all().after(5).once(), 20), [6]);
        let rule = Rule::on("/manifests/").method(Method::HEAD).ending(":ab");
        assert!(rule.matches(&Method::HEAD, "/v2/a/manifests/sha256:ab"));
        assert!(!rule.matches(&Method::GET, "/v2/a/manifests/sha256:ab"));
        assert!(!rule.matches(&Method::HEAD, "/v2/a/manifests/latest"));
    }
}
