//! Length-prefixed fields: two bytes of length, most significant first, then the bytes.

/// Appends one field.
pub(super) fn put(out: &mut Vec<u8>, field: &[u8]) {
    let length = u16::try_from(field.len())
        .expect("every field is far below 64 KiB: see the limits of sealed credentials");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(field);
}

/// What a field of so many bytes takes.
pub(super) const fn length_of(field: usize) -> usize {
    2 + field
}

/// Reads fields one after another. `None` at the first that is not there or not as expected.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<2>()?;
        let (field, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        self.0 = rest;
        Some(field)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.next()?).ok()
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.next()?.try_into().ok()
    }

    /// That nothing is left.
    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
