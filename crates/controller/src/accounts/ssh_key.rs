//! OpenSSH's one-line form of public keys, read strictly.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// Longest line, in bytes; an RSA key of 16384 bits has about 2800.
const LINE_BYTES_MAX: usize = 4096;
/// Longest comment, in characters.
const COMMENT_CHARS_MAX: usize = 200;
/// Shortest RSA modulus.
const RSA_BITS_MIN: usize = 2048;
/// Longest RSA modulus.
const RSA_BITS_MAX: usize = 16_384;

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshPublicKey {
    algorithm: String,
    blob: Vec<u8>,
    /// What its owner calls it.
    pub comment: String,
}

/// Why a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshKeyError {
    /// No key at all.
    #[error("this is no SSH public key: paste one line of a `.pub` file, as in `ssh-ed25519 AAAA… you@laptop`")]
    Shape,
    /// A private key.
    #[error("this is a private key: keep it to yourself, and add the file that ends in `.pub`")]
    Private,
    /// A kind that is not taken.
    #[error("`{0}` keys are not accepted: use `ssh-keygen -t ed25519`, or an ECDSA or RSA key")]
    Algorithm(String),
    /// Too short or too long.
    #[error("the RSA key has {0} bits: use 2048 to 16384, or better `ssh-keygen -t ed25519`")]
    RsaBits(usize),
    /// The inner form is broken.
    #[error("the SSH key is damaged: copy the whole line of the `.pub` file again")]
    Damaged,
}

impl SshPublicKey {
    /// Reads a line of a `.pub` file.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, SshKeyError> {
        let line = line.trim();
        if line.contains("PRIVATE KEY") {
            return Err(SshKeyError::Private);
        }
        if line.len() > LINE_BYTES_MAX || line.contains(|c: char| c.is_control() && c != '\t') {
            return Err(SshKeyError::Shape);
        }
        let mut words = line.splitn(3, [' ', '\t']);
        let (Some(algorithm), Some(base64)) = (words.next(), words.next()) else { return Err(SshKeyError::Shape) };
        let comment = words.next().unwrap_or_default().trim().chars().take(COMMENT_CHARS_MAX).collect();
        if !known(algorithm) {
            let looks_like_a_key = base64.starts_with("AAAA");
            let shown = algorithm.chars().take(60).collect();
            return Err(if looks_like_a_key { SshKeyError::Algorithm(shown) } else { SshKeyError::Shape });
        }
        let blob = STANDARD.decode(base64).map_err(|_| SshKeyError::Damaged)?;
        check_blob(algorithm, &blob)?;
        Ok(Self { algorithm: algorithm.to_owned(), blob, comment })
    }

    /// `ssh-ed25519 AAAA…`, without the comment.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.algorithm, STANDARD.encode(&self.blob))
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    /// The same hash in hex, for keys of the store.
    pub(super) fn hash(&self) -> String {
        hex::encode(Sha256::digest(&self.blob))
    }
}

/// The curve's name and the length of an uncompressed point on it.
fn curve(algorithm: &str) -> Option<(&'static [u8], usize)> {
    match algorithm {
        "ecdsa-sha2-nistp256" => Some((b"nistp256", 65)),
        "ecdsa-sha2-nistp384" => Some((b"nistp384", 97)),
        "ecdsa-sha2-nistp521" => Some((b"nistp521", 133)),
        _ => None,
    }
}

fn known(algorithm: &str) -> bool {
    matches!(algorithm, "ssh-ed25519" | "ssh-rsa") || curve(algorithm).is_some()
}

/// RFC 4253, section 6.6; RFC 5656, section 3.1; RFC 8709, section 4.
fn check_blob(algorithm: &str, blob: &[u8]) -> Result<(), SshKeyError> {
    let (name, rest) = field(blob)?;
    if name != algorithm.as_bytes() {
        return Err(SshKeyError::Damaged);
    }
    if let Some((curve, length)) = curve(algorithm) {
        let (named, rest) = field(rest)?;
        let (point, rest) = field(rest)?;
        let ok = named == curve && point.len() == length && point[0] == 4 && rest.is_empty();
        return if ok { Ok(()) } else { Err(SshKeyError::Damaged) };
    }
    let (first, rest) = field(rest)?;
    if algorithm == "ssh-ed25519" {
        return if first.len() == 32 && rest.is_empty() { Ok(()) } else { Err(SshKeyError::Damaged) };
    }
    let (modulus, rest) = field(rest)?;
    let (exponent_bits, modulus_bits) = (positive_bits(first)?, positive_bits(modulus)?);
    let odd = first.last().is_some_and(|byte| byte % 2 == 1) && modulus.last().is_some_and(|byte| byte % 2 == 1);
    if !rest.is_empty() || exponent_bits < 2 || !odd {
        return Err(SshKeyError::Damaged);
    }
    if (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&modulus_bits) { Ok(()) } else { Err(SshKeyError::RsaBits(modulus_bits)) }
}

/// A length (32 bits, big-endian) and as many bytes; then the rest.
fn field(bytes: &[u8]) -> Result<(&[u8], &[u8]), SshKeyError> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(SshKeyError::Damaged)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SshKeyError::Damaged)?;
    rest.split_at_checked(length).ok_or(SshKeyError::Damaged)
}

/// The bits of a positive number in its shortest form.
fn positive_bits(number: &[u8]) -> Result<usize, SshKeyError> {
    match number {
        [0, second, ..] if *second < 0x80 => Err(SshKeyError::Damaged),
        [0, rest @ ..] if !rest.is_empty() => Ok(rest.len() * 8),
        [first, rest @ ..] if (1..0x80).contains(first) => {
            Ok(rest.len() * 8 + (8 - usize::try_from(first.leading_zeros()).unwrap_or(8)))
        }
        _ => Err(SshKeyError::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn string(bytes: &[u8]) -> Vec<u8> {
        [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    fn line(algorithm: &str, fields: &[&[u8]]) -> String {
        let blob: Vec<u8> =
            std::iter::once(algorithm.as_bytes()).chain(fields.iter().copied()).flat_map(string).collect();
        format!("{algorithm} {} me@laptop", STANDARD.encode(blob))
    }

    fn rsa(bits: usize) -> String {
        let mut modulus = vec![0xff; bits / 8];
        modulus.insert(0, 0);
        line("ssh-rsa", &[&[1, 0, 1], &modulus])
    }

    #[test]
    fn keys_of_every_accepted_kind_are_read() {
        let key = SshPublicKey::parse(&line("ssh-ed25519", &[&[7; 32]])).unwrap();
        assert_eq!(key.comment, "me@laptop");
        assert!(key.fingerprint().starts_with("SHA256:"));
        assert_eq!(SshPublicKey::parse(&key.line()).unwrap().fingerprint(), key.fingerprint());
        for (name, length) in [("nistp256", 65), ("nistp384", 97), ("nistp521", 133)] {
            let mut point = vec![1; length];
            point[0] = 4;
            SshPublicKey::parse(&line(&format!("ecdsa-sha2-{name}"), &[name.as_bytes(), &point])).unwrap();
        }
        SshPublicKey::parse(&rsa(2048)).unwrap();
        SshPublicKey::parse(&format!("  {}\r\n", rsa(4096))).unwrap();
    }

    #[test]
    fn a_known_key_has_the_fingerprint_that_ssh_keygen_prints() {
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
        let key = SshPublicKey::parse(line).unwrap();
        assert_eq!(key.fingerprint(), "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA");
    }

    #[test]
    fn weak_damaged_and_private_keys_are_refused() {
        let refused = |line: &str| SshPublicKey::parse(line).unwrap_err();
        assert_eq!(refused(&rsa(1024)), SshKeyError::RsaBits(1024));
        assert_eq!(refused(&line("ssh-ed25519", &[&[7; 31]])), SshKeyError::Damaged);
        assert_eq!(refused(&line("ssh-ed25519", &[&[7; 32], b"more"])), SshKeyError::Damaged);
        assert_eq!(refused(&line("ecdsa-sha2-nistp256", &[b"nistp384", &[4; 65]])), SshKeyError::Damaged);
        assert_eq!(refused(&line("ssh-dss", &[&[1; 32]])), SshKeyError::Algorithm("ssh-dss".into()));
        let swapped = line("ssh-ed25519", &[&[7; 32]]).replacen("ssh-ed25519", "ssh-rsa", 1);
        assert_eq!(refused(&swapped), SshKeyError::Damaged);
        assert_eq!(refused("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n"), SshKeyError::Private);
        for bad in ["", "ssh-ed25519", "hello world", &"x".repeat(9000), "command=\"sh\" ssh-ed25519 AAAA"] {
            assert_eq!(refused(bad), SshKeyError::Shape, "{bad}");
        }
        assert_eq!(refused("ssh-ed25519 AAAA!"), SshKeyError::Damaged);
    }

    proptest! {
        #[test]
        fn no_blob_makes_the_reader_panic(blob in proptest::collection::vec(any::<u8>(), 0..120)) {
            for algorithm in ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"] {
                let named: Vec<u8> = [string(algorithm.as_bytes()), blob.clone()].concat();
                let _ = SshPublicKey::parse(&format!("{algorithm} {}", STANDARD.encode(&named)));
                let _ = SshPublicKey::parse(&format!("{algorithm} {}", STANDARD.encode(&blob)));
            }
        }
    }
}
