//! Random codes whose hash is all that the store keeps.

use ambo_model::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use sha2::{Digest, Sha256};

/// Random bytes of a code.
const CODE_BYTES: usize = 32;

/// A new code: `prefix` and 256 random bits.
pub(super) fn generate(prefix: &str) -> Secret {
    let mut bytes = [0_u8; CODE_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The SHA-256 of a code, in hex. With 256 random bits no slow hash is needed, and since a guess is hashed before it is
/// looked up, the time that a look-up takes tells nothing of any code.
pub(super) fn hash(code: &Secret) -> String {
    hex::encode(Sha256::digest(code.reveal().as_bytes()))
}

/// Head and tail of a code, for its owner to tell it from others.
pub(super) fn hint(code: &Secret) -> String {
    let text = code.reveal();
    let (head, tail) =
        (text.get(..9).unwrap_or_default(), text.get(text.len().saturating_sub(4)..).unwrap_or_default());
    format!("{head}**********{tail}")
}
