//! Makes text from outside safe to show: nothing from a host reaches a terminal or page as control.

use std::fmt::Write as _;

/// Longest text kept from one field; longer ones are cut and say so.
const TEXT_CHARS_MAX: usize = 4096;

/// Text of `bytes` with control characters, direction marks and invalid UTF-8 written as escapes.
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        push_escaped(&mut out, chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
        if out.len() > TEXT_CHARS_MAX {
            break;
        }
    }
    cut(out)
}

/// The same for text that is already UTF-8.
pub fn printable_str(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, text);
    cut(out)
}

fn push_escaped(out: &mut String, text: &str) {
    for character in text.chars().take(TEXT_CHARS_MAX + 1) {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Direction overrides and invisible joins can make a name read as another (CVE-2021-42574).
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
            '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
            other if other.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(other));
            }
            other => out.push(other),
        }
    }
}

fn cut(mut out: String) -> String {
    if out.len() > TEXT_CHARS_MAX {
        let end = (0..=TEXT_CHARS_MAX).rev().find(|at| out.is_char_boundary(*at)).unwrap_or(0);
        out.truncate(end);
        out.push_str("...");
    }
    out
}

/// A word as a shell takes it: in quotes where it needs them (POSIX 2.2.2).
pub fn quoted(word: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._-@%+=:,".contains(it);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], expected: &str) {
        assert_eq!(printable(input), expected);
    }

    #[test]
    fn control_characters_and_broken_utf8_become_escapes() {
        check(b"plain", "plain");
        check(b"a\x1b[31mb\nc", "a\\u{1b}[31mb\\nc");
        check(b"\xff\xfe", "\\xff\\xfe");
        check("na\u{202e}me".as_bytes(), "na\\u{202e}me");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let long = "\u{e9}".repeat(5000);
        let shown = printable(long.as_bytes());
        assert!(shown.ends_with("...") && shown.len() <= TEXT_CHARS_MAX + 3);
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_part_them() {
        assert_eq!(quoted("/srv/shop"), "/srv/shop");
        assert_eq!(quoted("/srv/a b; rm -r ~"), "'/srv/a b; rm -r ~'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
