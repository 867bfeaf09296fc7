//! Sealed credentials as one sensor is given them.

use portolan_shared::secret::sealed::{CredentialBinding, FormError, SealedForOne, SealedPayload, Wrap};

use super::field::FieldError;
use crate::v1;

/// A sealed credential for the wire.
#[must_use]
pub fn sealed_to_wire(sealed: &SealedForOne) -> v1::SealedCredential {
    v1::SealedCredential {
        binding: sealed.binding.encode().into(),
        payload: sealed.payload.encode().into(),
        wrap: sealed.wrap.encode().into(),
    }
}

/// A sealed credential from the wire. Well formed; whether it fits anything is not known.
pub fn sealed(wire: &v1::SealedCredential) -> Result<SealedForOne, FieldError> {
    fn part<T>(
        field: &'static str,
        bytes: &[u8],
        parse: fn(&[u8]) -> Result<T, FormError>,
    ) -> Result<T, FieldError> {
        parse(bytes).map_err(|error| FieldError::new(field, error))
    }
    Ok(SealedForOne {
        binding: part("credential.binding", &wire.binding, CredentialBinding::parse)?,
        payload: part("credential.payload", &wire.payload, SealedPayload::parse)?,
        wrap: part("credential.wrap", &wire.wrap, Wrap::parse)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named() {
        let empty = v1::SealedCredential::default();
        assert_eq!(sealed(&empty).unwrap_err().field, "credential.binding");
    }
}
