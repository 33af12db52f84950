//! Text that does a terminal no harm.

use std::borrow::Cow;

use ambo_model::log::LOG_LINE_BYTES_MAX;

/// Longest colour sequence that is let through, in bytes.
const COLOUR_BYTES_MAX: usize = 32;

/// Makes text safe to print and to keep on one line: line ends become spaces, and control characters `U+FFFD`, but
/// for tabs and colours.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte == b'\t' || (b' '..0x7F).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    if !text.chars().any(|character| character.is_control() && character != '\t') {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let colour_bytes = colour(rest);
        if colour_bytes > 0 {
            safe.push_str(&rest[..colour_bytes]);
            rest = &rest[colour_bytes..];
            continue;
        }
        safe.push(match character {
            '\t' => '\t',
            '\r' | '\n' => ' ',
            control if control.is_control() => char::REPLACEMENT_CHARACTER,
            other => other,
        });
        rest = &rest[character.len_utf8()..];
    }
    Cow::Owned(safe)
}

/// Cuts text into pieces that fit a line each; one piece, empty, for empty text.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (piece, left) = text.split_at(text.floor_char_boundary(LOG_LINE_BYTES_MAX));
        rest = (!left.is_empty()).then_some(left);
        Some(piece)
    })
}

/// How many bytes of a colour sequence (`ESC [ … m`) the text starts with.
fn colour(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 0 };
    let end = parameters.bytes().take(COLOUR_BYTES_MAX).position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'));
    match end {
        Some(end) if parameters.as_bytes()[end] == b'm' => 2 + end + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_untouched() {
        for text in ["", "GET /\t200", "größe ✓ 日本"] {
            assert!(matches!(safe(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn colours_pass_and_other_sequences_do_not() {
        assert_eq!(safe("\u{1b}[1;31mred\u{1b}[0m"), "\u{1b}[1;31mred\u{1b}[0m");
        assert_eq!(safe("\u{1b}]52;c;cm0=\u{7}"), "\u{FFFD}]52;c;cm0=\u{FFFD}");
        assert_eq!(safe("\u{1b}[2J"), "\u{FFFD}[2J");
        assert_eq!(safe("\u{1b}["), "\u{FFFD}[");
        assert_eq!(safe(&format!("\u{1b}[{}m", "1;".repeat(100))).chars().next(), Some('\u{FFFD}'));
    }

    #[test]
    fn nul_and_line_ends_do_not_survive() {
        assert_eq!(safe("a\0b\rc\nd\u{85}e"), "a\u{FFFD}b c d\u{FFFD}e");
    }

    #[test]
    fn pieces_are_cut_between_characters() {
        let text = "ä".repeat(LOG_LINE_BYTES_MAX);
        let cut: Vec<_> = pieces(&text).collect();
        assert_eq!(cut.concat(), text);
        assert!(cut.len() == 2 && cut.iter().all(|piece| piece.len() <= LOG_LINE_BYTES_MAX));
        assert_eq!(pieces("").collect::<Vec<_>>(), [""]);
    }
}
