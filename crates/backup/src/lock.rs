//! What an archive is closed and opened with. It is a file of the age format (<https://age-encryption.org/v1>), so the tools
//! `age` and `rage` open it, too.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use age::secrecy::{ExposeSecret, SecretString};
use age::stream::{StreamReader, StreamWriter};
use age::{DecryptError, Decryptor, Encryptor, scrypt, x25519};
use ambo_model::Secret;

/// Shortest passphrase that an archive is closed with. Longer ones that no human has made up are better.
pub const PASSPHRASE_CHARS_MIN: usize = 12;
/// How much work a try at a passphrase is: 2^17 steps of scrypt with 128 MiB of memory, about half a second.
const WORK_FACTOR: u8 = 17;
/// Most work that opening may be: 1 GiB of memory.
const WORK_FACTOR_MAX: u8 = 20;

/// With what an archive is closed.
#[derive(Debug, Clone)]
pub enum Lock {
    /// Whoever knows it opens the archive.
    Passphrase(Secret),
    /// Whoever has the identity of one of them opens the archive; who makes it does not.
    Recipients(Vec<Recipient>),
}

/// With what an archive is opened.
#[derive(Debug, Clone)]
pub enum Unlock {
    /// The passphrase.
    Passphrase(Secret),
    /// `AGE-SECRET-KEY-1…`, one a line; lines that begin with `#` are comments, as in files of `age-keygen`.
    Identities(Secret),
}

/// Somebody for whom archives are made: `age1…`. No secret.
#[derive(Clone)]
pub struct Recipient(x25519::Recipient);

/// Not to be used as a lock or a key. The secret is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// A short passphrase.
    #[error("the passphrase is too short: use at least {PASSPHRASE_CHARS_MIN} characters")]
    PassphraseTooShort,
    /// Nobody could open the archive.
    #[error("an archive for nobody: name at least one recipient")]
    NoRecipient,
    /// No recipient.
    #[error("this is no recipient: expected `age1` and 58 letters and digits")]
    Recipient,
    /// No identity.
    #[error("this is no identity: expected lines of `AGE-SECRET-KEY-1` and 58 letters and digits")]
    Identity,
}

impl FromStr for Recipient {
    type Err = LockError;
    fn from_str(text: &str) -> Result<Self, LockError> {
        text.trim().parse().map(Self).map_err(|_| LockError::Recipient)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

/// A new identity, to be kept apart from the platform, and its recipient, to be given to the platform.
#[must_use]
pub fn identity_generate() -> (Secret, Recipient) {
    let identity = x25519::Identity::generate();
    (Secret::new(identity.to_string().expose_secret()), Recipient(identity.to_public()))
}

fn text(secret: &Secret) -> SecretString {
    SecretString::from(secret.reveal().to_owned())
}

impl Lock {
    /// Whether it would keep anybody out, and let somebody in.
    ///
    /// # Errors
    /// When it would not.
    pub fn check(&self) -> Result<(), LockError> {
        match self {
            Self::Passphrase(passphrase) if passphrase.reveal().chars().count() < PASSPHRASE_CHARS_MIN => {
                Err(LockError::PassphraseTooShort)
            }
            Self::Recipients(recipients) if recipients.is_empty() => Err(LockError::NoRecipient),
            Self::Passphrase(_) | Self::Recipients(_) => Ok(()),
        }
    }

    /// Encrypts what is written, on to `out`.
    pub(crate) fn close<W: Write>(&self, out: W) -> io::Result<StreamWriter<W>> {
        let encryptor = match self {
            Self::Passphrase(passphrase) => {
                let mut recipient = scrypt::Recipient::new(text(passphrase));
                recipient.set_work_factor(WORK_FACTOR);
                Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
            }
            Self::Recipients(recipients) => {
                Encryptor::with_recipients(recipients.iter().map(|recipient| &recipient.0 as &dyn age::Recipient))
            }
        };
        encryptor.map_err(io::Error::other)?.wrap_output(out)
    }
}

impl Unlock {
    /// Whether it could open anything.
    ///
    /// # Errors
    /// When it is no identity.
    pub fn check(&self) -> Result<(), LockError> {
        self.identities().map(drop)
    }

    fn identities(&self) -> Result<Vec<Box<dyn age::Identity>>, LockError> {
        let texts = match self {
            Self::Passphrase(passphrase) => {
                let mut identity = scrypt::Identity::new(text(passphrase));
                identity.set_max_work_factor(WORK_FACTOR_MAX);
                return Ok(vec![Box::new(identity)]);
            }
            Self::Identities(texts) => texts.reveal().lines().map(str::trim),
        };
        let texts = texts.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let parsed = texts.map(|line| line.parse::<x25519::Identity>().map_err(|_| LockError::Identity));
        let identities = parsed.map(|identity| Ok(Box::new(identity?) as Box<dyn age::Identity>));
        let identities = identities.collect::<Result<Vec<_>, LockError>>()?;
        if identities.is_empty() { Err(LockError::Identity) } else { Ok(identities) }
    }

    /// Decrypts what is read from `input`.
    pub(crate) fn open<R: Read>(&self, input: R) -> Result<StreamReader<R>, DecryptError> {
        let identities = self.identities().map_err(|error| DecryptError::Io(io::Error::other(error)))?;
        Decryptor::new(input)?.decrypt(identities.iter().map(AsRef::as_ref))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(lock: &Lock, content: &[u8]) -> Vec<u8> {
        let mut writer = lock.close(Vec::new()).unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap()
    }

    fn opened(unlock: &Unlock, closed: &[u8]) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        unlock.open(closed).ok()?.read_to_end(&mut content).ok()?;
        Some(content)
    }

    #[test]
    fn only_the_passphrase_opens_what_it_closed() {
        let lock = Lock::Passphrase(Secret::new("correct horse battery"));
        let archive = closed(&lock, b"content");
        let right = Unlock::Passphrase(Secret::new("correct horse battery"));
        assert_eq!(opened(&right, &archive).unwrap(), b"content");
        assert_eq!(opened(&Unlock::Passphrase(Secret::new("correct horse")), &archive), None);
    }

    #[test]
    fn each_recipient_opens_and_nobody_else() {
        let (one, to_one) = identity_generate();
        let (two, to_two) = identity_generate();
        let (three, _) = identity_generate();
        let archive = closed(&Lock::Recipients(vec![to_one, to_two.to_string().parse().unwrap()]), b"content");
        let commented = format!("# created: today\n# public key: age1…\n{}\n", two.reveal());
        for identity in [one, Secret::new(commented)] {
            assert_eq!(opened(&Unlock::Identities(identity), &archive).unwrap(), b"content");
        }
        assert_eq!(opened(&Unlock::Identities(three), &archive), None);
    }

    #[test]
    fn what_locks_nothing_is_refused() {
        assert_eq!(Lock::Passphrase(Secret::new("short")).check(), Err(LockError::PassphraseTooShort));
        assert_eq!(Lock::Recipients(Vec::new()).check(), Err(LockError::NoRecipient));
        assert_eq!("age1abc".parse::<Recipient>().err(), Some(LockError::Recipient));
        assert_eq!(Unlock::Identities(Secret::new("# nothing\n")).check(), Err(LockError::Identity));
        assert_eq!(Unlock::Identities(Secret::new("hunter2")).check(), Err(LockError::Identity));
    }
}
