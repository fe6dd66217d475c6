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
    parse_chosen(text, |_| true)
}

/// As [`parse_stanzas`], with the fields of these names only; a stanza without any of them has none.
pub(super) fn parse_chosen(
    text: &str,
    is_chosen: impl Fn(&str) -> bool,
) -> (Vec<Stanza<'_>>, Vec<(usize, String)>) {
    let mut stanzas: Vec<Stanza<'_>> = Vec::new();
    let mut bad = Vec::new();
    let mut open = false;
    // Whether the field that a line may continue is kept.
    let mut kept = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        match line.as_bytes().first() {
            Some(b' ' | b'\t') if !line.trim().is_empty() => {
                let last = stanzas.last_mut().filter(|_| open).and_then(|it| it.fields.last_mut());
                match last {
                    _ if open && !kept => {}
                    Some((_, value)) => {
                        let value = value.to_mut();
                        value.push('\n');
                        value.push_str(line.trim());
                    }
                    None => bad.push((number, "a continuation of nothing".to_string())),
                }
                continue;
            }
            Some(b'#') => continue,
            Some(first) if first.is_ascii_graphic() => {}
            _ if line.trim().is_empty() => {
                open = false;
                continue;
            }
            _ => {}
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
        kept = is_chosen(name);
        if let Some(stanza) = stanzas.last_mut().filter(|_| kept) {
            stanza.fields.push((name, Cow::Borrowed(value.trim())));
        }
    }
    (stanzas, bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_chosen_leaves_no_trace_and_hides_no_damage() {
        let text = "A: 1\n x\nB: 2\n y\nnothing\n\n z\nB: 3\n# c\n\u{a0}\na: 4\n";
        let (all, bad) = parse_stanzas(text);
        let (chosen, same) = parse_chosen(text, |it| it.eq_ignore_ascii_case("A"));
        assert_eq!(bad, same);
        assert_eq!(bad.iter().map(|it| it.0).collect::<Vec<_>>(), [5, 7]);
        let got = |stanzas: &[Stanza<'_>], name| -> Vec<(usize, String)> {
            stanzas.iter().map(|it| (it.line, it.get(name).to_string())).collect()
        };
        assert_eq!(got(&all, "A"), [(1, "1\nx".into()), (8, String::new()), (11, "4".into())]);
        assert_eq!(got(&all, "A"), got(&chosen, "A"));
        assert!(got(&chosen, "B").iter().all(|it| it.1.is_empty()));
    }
}
