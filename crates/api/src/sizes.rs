//! Heroku's sizes: names for amounts of memory. CPU stays as the app's owner has limited it with `ambo limits`: not at all.

use ambo_controller::formations::Size;
use ambo_model::size::MEMORY_MIN;
use ambo_model::{ByteSize, FormationEntry, Limits};

use crate::error::ApiError;

/// The names, as Heroku writes them, with their memory in MiB.
pub(crate) const SIZES: &[(&str, u64)] = &[
    ("Eco", 512),
    ("Basic", 512),
    ("Standard-1X", 512),
    ("Standard-2X", 1024),
    ("Performance-M", 2560),
    ("Performance-L", 14 * 1024),
    ("Performance-L-RAM", 30 * 1024),
    ("Performance-XL", 62 * 1024),
    ("Performance-2XL", 126 * 1024),
    ("Private-S", 1024),
    ("Private-M", 2560),
    ("Private-L", 14 * 1024),
];
/// No limit, by name.
const UNLIMITED: &str = "unlimited";

fn memory(mib: u64) -> Limits {
    Limits { memory: Some(ByteSize::mib(mib)), cpu: None }
}

/// A size by name, or memory such as `768M`.
pub(crate) fn parse(text: &str, field: &str) -> Result<Size, ApiError> {
    if let Some((name, mib)) = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(Size { name: Some((*name).to_owned()), limits: memory(*mib) });
    }
    if text.eq_ignore_ascii_case(UNLIMITED) {
        return Ok(Size { name: None, limits: Limits::default() });
    }
    match text.parse::<ByteSize>() {
        Ok(bytes) if bytes >= MEMORY_MIN => Ok(Size { name: None, limits: Limits { memory: Some(bytes), cpu: None } }),
        _ => {
            let names: Vec<&str> = SIZES.iter().map(|(name, _)| *name).collect();
            let text: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
            Err(ApiError::invalid(format!(
                "`{field}`: there is no size `{text}`: use {}, an amount of memory such as `768M`, or `{UNLIMITED}`",
                names.join(", ")
            )))
        }
    }
}

/// The name of a process' limits: the size's, as long as the limits are still those of that size, or the limits.
pub(crate) fn shown(entry: &FormationEntry) -> String {
    let named = entry.size.as_deref().and_then(|name| SIZES.iter().find(|(known, _)| *known == name));
    match named {
        Some((name, mib)) if memory(*mib) == entry.limits => (*name).to_owned(),
        _ => limits_shown(&entry.limits),
    }
}

/// Limits, where Heroku has the name of a size.
pub(crate) fn limits_shown(limits: &Limits) -> String {
    match (limits.memory, limits.cpu) {
        (None, None) => UNLIMITED.to_owned(),
        (Some(memory), None) => memory.to_string(),
        (None, Some(cpu)) => format!("{cpu} CPU"),
        (Some(memory), Some(cpu)) => format!("{memory}, {cpu} CPU"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> FormationEntry {
        let size = parse(text, "size").unwrap();
        FormationEntry { limits: size.limits, size: size.name, ..FormationEntry::default() }
    }

    #[test]
    fn a_size_is_shown_as_it_was_asked_for() {
        for (asked, told) in [("standard-1x", "Standard-1X"), ("BASIC", "Basic"), ("768M", "768M"), ("2g", "2G")] {
            assert_eq!(shown(&entry(asked)), told);
        }
        assert_eq!(shown(&entry("Unlimited")), "unlimited");
        for bad in ["", "huge", "1M", "12", "-5M"] {
            assert!(parse(bad, "size").is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_that_were_changed_since_have_the_name_no_longer() {
        let mut entry = entry("Basic");
        entry.limits.memory = Some(ByteSize::mib(100));
        assert_eq!(shown(&entry), "100M");
    }
}
