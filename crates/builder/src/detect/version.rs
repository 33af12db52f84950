//! Versions as people write them in version files, made into tags of base images. What comes out holds digits and dots
//! only, so that it can stand in a Dockerfile.

/// A plain version, `3.11` or `v18.17.1`: at most three numbers. Anything else is none.
pub(super) fn plain(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches(['v', 'V', '=']).trim();
    let parts: Vec<&str> = text.split('.').collect();
    let ok = parts.len() <= 3
        && parts.iter().all(|part| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()));
    ok.then(|| text.to_owned())
}

/// The first line of a version file that says something.
pub(super) fn first_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A tool's version in `.tool-versions`.
pub(super) fn tool(text: &str, tool: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == tool).then(|| words.next()).flatten().and_then(plain)
    })
}

/// The major version that a range such as `>=18 <21`, `^20.1`, `18.x` or `18 || 20` means; `default` if it takes it.
pub(super) fn major(range: &str, default: u32) -> Option<u32> {
    let alternative = range.rsplit("||").next()?.trim();
    let (mut from, mut below) = (None, None);
    for (operator, version) in comparisons(alternative) {
        let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
        let major = numbers.next().flatten()?;
        let whole = numbers.all(|number| number.unwrap_or(0) == 0);
        match operator {
            ">=" | ">" => from = Some(major),
            "<" => below = Some(if whole { major.checked_sub(1)? } else { major }),
            "<=" => below = Some(major),
            _ => return Some(major),
        }
    }
    match (from, below) {
        (None, None) => None,
        (Some(from), None) => Some(from.max(default)),
        (None, Some(below)) => Some(below.min(default)),
        (Some(from), Some(below)) => Some(below.min(from.max(default))),
    }
}

/// A range's comparisons: an operator, which may be empty, and what it is followed by.
fn comparisons(range: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = range.trim_start_matches([' ', ',']);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !"<>=^~!".contains(c)).unwrap_or(rest.len());
        let (operator, after) = rest.split_at(end);
        let after = after.trim_start().trim_start_matches('v');
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '*')).unwrap_or(after.len());
        if end == 0 {
            break;
        }
        found.push((operator, &after[..end]));
        rest = after[end..].trim_start_matches([' ', ',', '-']);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_versions_hold_digits_and_dots_only() {
        assert_eq!(plain(" v18.17.1\n").as_deref(), Some("18.17.1"));
        assert_eq!(plain("3.11").as_deref(), Some("3.11"));
        for bad in ["", "lts/*", "3.11-slim", "3..1", "1.2.3.4", "latest", "3 RUN x"] {
            assert_eq!(plain(bad), None, "{bad}");
        }
    }

    #[test]
    fn ranges_mean_the_newest_major_version_that_they_take() {
        let cases = [
            ("18.x", 18),
            ("^20.1", 20),
            ("~16", 16),
            (">=18", 22),
            (">=18 <21", 20),
            (">= 18.0.0 < 20.5", 20),
            ("18 || 20", 20),
            ("v18.17.0", 18),
            (">=24", 24),
            ("<17", 16),
            ("18 - 20", 18),
            (">=16,<19", 18),
        ];
        for (range, wanted) in cases {
            assert_eq!(major(range, 22), Some(wanted), "{range}");
        }
        for none in ["*", "x", "latest", "", "lts/*"] {
            assert_eq!(major(none, 22), None, "{none}");
        }
    }
}
