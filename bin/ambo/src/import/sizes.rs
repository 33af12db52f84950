//! What Heroku's dyno sizes mean as limits of memory. A size's share of the CPU is not brought over: here a process may
//! use what is free.

/// Sizes and the memory of one instance.
const SIZES: &[(&str, &str)] = &[
    ("free", "512M"),
    ("hobby", "512M"),
    ("eco", "512M"),
    ("basic", "512M"),
    ("standard-1x", "512M"),
    ("standard-2x", "1G"),
    ("performance-m", "2560M"),
    ("performance-l", "14G"),
    ("performance-l-ram", "30G"),
    ("performance-xl", "62G"),
    ("performance-2xl", "126G"),
    ("private-s", "1G"),
    ("private-m", "2560M"),
    ("private-l", "14G"),
    ("shield-s", "1G"),
    ("shield-m", "2560M"),
    ("shield-l", "14G"),
];

/// The memory of a size; `None` when the size is unknown, which leaves the process unlimited.
pub(super) fn memory_of(size: &str) -> Option<&'static str> {
    SIZES.iter().find(|(name, _)| size.eq_ignore_ascii_case(name)).map(|(_, memory)| *memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_known_in_any_case() {
        assert_eq!(memory_of("Standard-2X"), Some("1G"));
        assert_eq!(memory_of("Performance-L-RAM"), Some("30G"));
        assert_eq!(memory_of("unlimited"), None);
    }
}
