//! The line in front of every state file that tells whether the rest is what was written.

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

const MAGIC: &str = "portolan-agent-state 1 sha256:";

/// `payload` with its checksum in front. The name is covered too, so that one file cannot be taken for another.
pub(super) fn seal(name: &str, payload: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut content = Vec::with_capacity(MAGIC.len() + 65 + payload.len());
    content.extend_from_slice(MAGIC.as_bytes());
    content.extend_from_slice(checksum(name, payload).as_bytes());
    content.push(b'\n');
    content.extend_from_slice(payload);
    Zeroizing::new(content)
}

/// The payload of a file, or what is wrong with it.
pub(super) fn open<'a>(name: &str, content: &'a [u8]) -> Result<&'a [u8], &'static str> {
    let rest = content
        .strip_prefix(MAGIC.as_bytes())
        .ok_or("its first line is not that of a state file")?;
    let (sum, rest) = rest.split_at_checked(64).ok_or("it was cut off")?;
    let payload = rest
        .strip_prefix(b"\n")
        .ok_or("its first line is not that of a state file")?;
    if checksum(name, payload).as_bytes() == sum {
        Ok(payload)
    } else {
        Err("its checksum does not match its content")
    }
}

fn checksum(name: &str, payload: &[u8]) -> String {
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    hash.update(name.as_bytes());
    hash.update(&[0]);
    hash.update(payload);
    HEXLOWER.encode(hash.finish().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_flipped_bit_and_every_cut_is_noticed(payload: Vec<u8>, at: prop::sample::Index, bit in 0..8_u8) {
            let sealed = seal("trust", &payload);
            prop_assert_eq!(open("trust", &sealed).unwrap(), &payload[..]);
            prop_assert!(open("certificate", &sealed).is_err());
            let mut flipped = sealed.to_vec();
            let index = at.index(flipped.len());
            flipped[index] ^= 1 << bit;
            prop_assert!(open("trust", &flipped).is_err());
            prop_assert!(open("trust", &sealed[..index]).is_err());
        }
    }
}
