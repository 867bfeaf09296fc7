//! RFC 9180, appendix A.2: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305.

use data_encoding::HEXLOWER;

use crate::process::Rng;
use crate::secret::SecretBytes;
use crate::secret::sealed::{SealingKeyPair, hybrid};

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn key(hex: &str) -> [u8; 32] {
    bytes(hex).try_into().unwrap()
}

/// Gives the same 32 bytes whenever it is asked: the `ikmE` and `ikmR` of the vectors.
struct Given([u8; 32]);

impl Rng for Given {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0);
    }
}

const INFO: &str = "4f6465206f6e2061204772656369616e2055726e";
const PLAIN: &str = "4265617574792069732074727574682c20747275746820626561757479";
const IKM_E: &str = "909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b";
const ENC: &str = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a";
const IKM_R: &str = "1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df";
const SK_R: &str = "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb";
const PK_R: &str = "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a";
const AAD: &str = "436f756e742d30";
const CIPHERTEXT: &str =
    "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28";

#[test]
fn rfc_9180_a_2_1_seals_byte_for_byte() {
    let rng = Given(key(IKM_E));
    let (enc, ciphertext) =
        hybrid::seal_to(&key(PK_R), &bytes(INFO), &bytes(AAD), &bytes(PLAIN), &rng).unwrap();
    assert_eq!(HEXLOWER.encode(&enc), ENC);
    assert_eq!(HEXLOWER.encode(&ciphertext), CIPHERTEXT);
}

#[test]
fn rfc_9180_a_2_1_opens() {
    let pair = SealingKeyPair::from_secret(&SecretBytes::new(bytes(SK_R))).unwrap();
    assert_eq!(HEXLOWER.encode(pair.public_key().as_bytes()), PK_R);
    let open = |aad: &str| {
        hybrid::open_with(
            pair.private(),
            &bytes(INFO),
            &bytes(aad),
            &key(ENC),
            &bytes(CIPHERTEXT),
        )
    };
    assert_eq!(HEXLOWER.encode(&open(AAD).unwrap()), PLAIN);
    assert!(
        open("436f756e742d31").is_none(),
        "with the next message's associated data"
    );
}

#[test]
fn rfc_9180_a_2_1_derives_the_recipients_key() {
    let pair = SealingKeyPair::generate(&Given(key(IKM_R)));
    assert_eq!(HEXLOWER.encode(pair.public_key().as_bytes()), PK_R);
    // The vector writes the key as it was derived; what X25519 works with has its fixed bits set (RFC 7748, section 5).
    let mut clamped = key(SK_R);
    clamped[31] = clamped[31] & 0x7f | 0x40;
    clamped[0] &= 0xf8;
    assert_eq!(pair.to_secret().expose(), clamped);
}
