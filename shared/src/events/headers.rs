//! Headers of a request, without an HTTP library.

/// The headers that came with a notification.
pub trait Headers {
    /// The first value of the header `name`, however the sender wrote its case; `None` if it is not there or is no text.
    fn get(&self, name: &str) -> Option<&str>;
}

impl<N: AsRef<str>, V: AsRef<str>> Headers for Vec<(N, V)> {
    fn get(&self, name: &str) -> Option<&str> {
        first(self, name)
    }
}

impl<N: AsRef<str>, V: AsRef<str>, const COUNT: usize> Headers for [(N, V); COUNT] {
    fn get(&self, name: &str) -> Option<&str> {
        first(self, name)
    }
}

fn first<'a, N: AsRef<str>, V: AsRef<str>>(pairs: &'a [(N, V)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(known, _)| known.as_ref().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_ref())
}
