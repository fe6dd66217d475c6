//! Paragraphs of `Name: value` lines (deb822(5)), as dpkg and apt write them.

use std::borrow::Cow;

/// One paragraph with the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stanza<'a> {
    /// Line, counted from one.
    pub line: usize,
    fields: Vec<(&'a str, Cow<'a, str>)>,
}

impl Stanza<'_> {
    /// The value of a field, names compared without case; empty when it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.fields
            .iter()
            .find(|(it, _)| it.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.as_ref())
    }
}

/// Every paragraph of a text. Lines of a value are joined by newlines, comments left out.
///
/// The second value names lines that are no field, with their number.
pub fn parse_stanzas(text: &str) -> (Vec<Stanza<'_>>, Vec<(usize, String)>) {
    let mut stanzas: Vec<Stanza<'_>> = Vec::new();
    let mut open = false;
    let mut bad = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.trim().is_empty() {
            open = false;
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            let last = stanzas.last_mut().filter(|_| open).and_then(|it| it.fields.last_mut());
            match last {
                Some((_, value)) => {
                    let value = value.to_mut();
                    value.push('\n');
                    value.push_str(line.trim());
                }
                None => bad.push((number, "a continuation of nothing".to_string())),
            }
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            let start: String = line.chars().take(40).collect();
            bad.push((number, format!("`{start}` is not a field")));
            continue;
        };
        if !open {
            stanzas.push(Stanza { line: number, fields: Vec::new() });
            open = true;
        }
        if let Some(stanza) = stanzas.last_mut() {
            stanza.fields.push((name, Cow::Borrowed(value.trim())));
        }
    }
    (stanzas, bad)
}
