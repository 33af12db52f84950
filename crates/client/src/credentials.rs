//! Who asks.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::types::Secret;

/// What is sent as `Authorization`.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing: registration and the public part of the platform's description.
    #[default]
    None,
    /// A token, as `Bearer`.
    Token(Secret),
    /// E-mail and password, as `Basic`: only to get a token.
    Password {
        /// The account.
        email: String,
        /// Its password.
        password: Secret,
    },
}

impl Credentials {
    /// The header's value.
    #[must_use]
    pub(crate) fn header(&self) -> Option<String> {
        match self {
            Credentials::None => None,
            Credentials::Token(token) => Some(format!("Bearer {}", token.reveal())),
            Credentials::Password { email, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{email}:{}", password.reveal()))))
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::None => f.write_str("None"),
            Credentials::Token(_) => f.write_str("Token(…)"),
            Credentials::Password { email, .. } => write!(f, "Password({email}, …)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_appear_in_no_debug_output() {
        let token = Credentials::Token(Secret::new("s3cret"));
        let password = Credentials::Password { email: "a@b.c".into(), password: Secret::new("s3cret") };
        assert!(!format!("{token:?}{password:?}").contains("s3cret"));
    }

    #[test]
    fn a_password_is_sent_as_basic() {
        let password = Credentials::Password { email: "a@b.c".into(), password: Secret::new("x:y") };
        assert_eq!(password.header().unwrap(), format!("Basic {}", STANDARD.encode("a@b.c:x:y")));
    }
}
