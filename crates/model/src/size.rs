//! Sizes with their units, and the limits of an instance.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Least memory an instance may be given; the engine refuses less.
pub const MEMORY_MIN: ByteSize = ByteSize::mib(6);
/// Most CPU an instance may be given, in thousandths of a core.
pub const CPU_MILLIS_MAX: u32 = 1_024_000;

/// Why a size was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// No number with a known unit.
    #[error("`{0}` is no size: write a number and a unit, as in `512M` or `2G`")]
    Bytes(String),
    /// Too small for any instance.
    #[error("`{0}` is too little memory: an instance needs at least 6M")]
    MemoryTooSmall(String),
    /// No share of CPU.
    #[error("`{0}` is no CPU limit: write cores, as in `0.5` or `2`, or thousandths, as in `500m`")]
    Cpu(String),
}

/// A number of bytes. Prints with the largest unit that divides it; units are powers of 1024.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteSize(u64);

impl ByteSize {
    /// From bytes.
    #[must_use]
    pub const fn bytes(count: u64) -> Self {
        Self(count)
    }
    /// From KiB.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }
    /// From MiB.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
    /// From GiB.
    #[must_use]
    pub const fn gib(count: u64) -> Self {
        Self(count << 30)
    }
    /// As bytes.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(30, "G"), (20, "M"), (10, "K")] {
            if self.0 >= 1 << shift && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl FromStr for ByteSize {
    type Err = SizeError;

    /// Reads `512M`, `512MB`, `512MiB`, `1g`; a bare number counts bytes.
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let refused = || SizeError::Bytes(text.to_owned());
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let shift = match unit.to_ascii_uppercase().as_str() {
            "" | "B" => 0,
            "K" | "KB" | "KIB" => 10,
            "M" | "MB" | "MIB" => 20,
            "G" | "GB" | "GIB" => 30,
            "T" | "TB" | "TIB" => 40,
            _ => return Err(refused()),
        };
        let number: u64 = number.parse().map_err(|_| refused())?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(refused)
    }
}

/// A share of CPU, in thousandths of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CpuShare(u32);

impl CpuShare {
    /// From thousandths of a core.
    #[must_use]
    pub const fn millis(count: u32) -> Self {
        Self(count)
    }
    /// As thousandths of a core.
    #[must_use]
    pub const fn as_millis(self) -> u32 {
        self.0
    }
}

impl fmt::Display for CpuShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(f, "{}", self.0 / 1000) } else { write!(f, "{}m", self.0) }
    }
}

impl FromStr for CpuShare {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let refused = || SizeError::Cpu(text.to_owned());
        let millis = match text.strip_suffix('m') {
            Some(millis) => millis.parse::<u32>().map_err(|_| refused())?,
            None => cores_as_millis(text).ok_or_else(refused)?,
        };
        if (1..=CPU_MILLIS_MAX).contains(&millis) { Ok(Self(millis)) } else { Err(refused()) }
    }
}

/// `1.25` as 1250; at most three decimals.
fn cores_as_millis(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(part)
}

/// What one instance may use; `None` is unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory, swap included.
    pub memory: Option<ByteSize>,
    /// CPU time.
    pub cpu: Option<CpuShare>,
}

impl Limits {
    /// Reads a memory limit.
    ///
    /// # Errors
    /// When the text is no size, or less than any instance needs.
    pub fn parse_memory(text: &str) -> Result<ByteSize, SizeError> {
        let size: ByteSize = text.parse()?;
        if size < MEMORY_MIN { Err(SizeError::MemoryTooSmall(text.to_owned())) } else { Ok(size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_print_as_they_are_written() {
        for text in ["512M", "2G", "7K", "3B", "1536M"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
        for bad in ["", "M", "12X", "-1M", "99999999999999999999G"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
        assert!(Limits::parse_memory("1M").is_err());
    }

    #[test]
    fn cpu_is_read_in_cores_and_in_thousandths() {
        assert_eq!("0.5".parse(), Ok(CpuShare::millis(500)));
        assert_eq!("250m".parse(), Ok(CpuShare::millis(250)));
        assert_eq!("2".parse::<CpuShare>().unwrap().to_string(), "2");
        for bad in ["", "0", "-1", "1.2345", "x", "m"] {
            assert!(bad.parse::<CpuShare>().is_err(), "{bad}");
        }
    }
}
