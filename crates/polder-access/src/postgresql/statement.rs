//! A statement as the server can analyse it: without literals, with parameters in their place.

use crate::sql::{Dialect, Kind, Token, parse_tokens, quote};

/// Types that stand before a literal (`date '…'`); before a parameter that is no SQL, and `pg_stat_statements` writes it.
const TYPES: [&str; 30] = [
    "interval",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "uuid",
    "inet",
    "cidr",
    "macaddr",
    "json",
    "jsonb",
    "numeric",
    "decimal",
    "money",
    "point",
    "box",
    "bytea",
    "text",
    "bool",
    "boolean",
    "int4",
    "int8",
    "float8",
    "xml",
    "tsvector",
    "tsquery",
    "regclass",
    "int4range",
    "tstzrange",
];

/// Parts of times, which may follow an interval.
const FIELDS: [&str; 7] = ["year", "month", "day", "hour", "minute", "second", "to"];

/// Digits of a number that cannot be anybody's data; longer ones become parameters.
const PLAIN_DIGITS_MAX: usize = 6;

/// The statement with parameters in the place of literals, and whatever else makes text of `pg_stat_statements` SQL again.
pub(super) fn preparable(text: &str) -> String {
    let tokens = parse_tokens(text, Dialect::Postgresql);
    let number = |it: &Token<'_>| it.text.get(1..)?.parse::<usize>().ok();
    let known = tokens.iter().filter(|it| it.kind == Kind::Parameter).filter_map(number).max();
    let mut next = known.unwrap_or(0);
    let mut out = String::with_capacity(text.len() + 16);
    let mut at = 0;
    let mut end = 0;
    while let Some(token) = tokens.get(at) {
        let rest = tokens.get(at..).unwrap_or_default();
        // Blanks and comments become one blank; where none was, as within operators, none is put.
        if token.at > end {
            out.push(' ');
        }
        if token.is_sign(";") && rest.len() == 1 {
            break;
        }
        // `extract(year from x)`: the field is written as a parameter, too.
        if let [word, open, field, from, ..] = rest
            && word.is("extract")
            && open.is_sign("(")
            && from.is("from")
            && matches!(field.kind, Kind::Parameter | Kind::Literal)
        {
            out.push_str("extract(epoch from");
            at += 4;
            end = from.end();
            continue;
        }
        // Which sequence is meant stands in a string: a name is nobody's data.
        if let [word, open, name, ..] = rest
            && word.is_any(&["nextval", "currval", "setval"])
            && open.is_sign("(")
            && is_name_in_quotes(name)
        {
            out.push_str(&format!("{}({}", word.text, name.text));
            at += 3;
            end = name.end();
            continue;
        }
        if let Some(length) = typed_literal(rest) {
            let (kind, value) = rest
                .get(..length)
                .and_then(<[_]>::split_last)
                .map_or((rest, token), |(value, kind)| (kind, value));
            push_value(&mut out, value, &mut next);
            out.push_str("::");
            let words: Vec<&str> = kind.iter().map(|it| it.text).collect();
            out.push_str(&words.join(" "));
            at += length;
            let is_interval = token.is("interval");
            while is_interval && tokens.get(at).is_some_and(|it| it.is_any(&FIELDS)) {
                at += 1;
            }
            end = at.checked_sub(1).and_then(|it| tokens.get(it)).map_or(end, Token::end);
            continue;
        }
        push_value(&mut out, token, &mut next);
        end = token.end();
        at += 1;
    }
    out.trim_start().to_string()
}

/// Writes a token, a literal as a parameter.
fn push_value(out: &mut String, token: &Token<'_>, next: &mut usize) {
    let is_plain =
        token.text.len() <= PLAIN_DIGITS_MAX && token.text.bytes().all(|it| it.is_ascii_digit());
    if token.kind == Kind::Literal && !is_plain {
        *next += 1;
        out.push_str(&format!("${next}"));
    } else {
        out.push_str(token.text);
    }
}

/// Whether a string holds a name and nothing else: letters first.
fn is_name_in_quotes(token: &Token<'_>) -> bool {
    let inner = token.text.strip_prefix('\'').and_then(|it| it.strip_suffix('\''));
    let is_part = |it: char| it.is_alphanumeric() || matches!(it, '_' | '.' | '"' | '$');
    let digits = |it: &str| it.chars().filter(char::is_ascii_digit).count();
    token.kind == Kind::Literal
        && inner.is_some_and(|it| {
            it.len() <= 130
                && digits(it) <= PLAIN_DIGITS_MAX
                && !it.is_empty()
                && it.chars().all(is_part)
        })
}

/// How many tokens `type literal` takes here, if this is one.
fn typed_literal(rest: &[Token<'_>]) -> Option<usize> {
    let first = rest.first().filter(|it| it.is_any(&TYPES))?;
    let mut length = 1;
    if rest.get(1)?.is_sign("(") && rest.get(3)?.is_sign(")") {
        length = 4;
    }
    if first.is_any(&["time", "timestamp"])
        && rest.get(length)?.is_any(&["with", "without"])
        && rest.get(length + 1)?.is("time")
    {
        length += 3;
    }
    let value = rest.get(length)?;
    matches!(value.kind, Kind::Literal | Kind::Parameter).then_some(length + 1)
}

/// How many parameters a statement has.
pub(super) fn parameters(text: &str) -> usize {
    let tokens = parse_tokens(text, Dialect::Postgresql);
    let number = |it: &Token<'_>| it.text.get(1..)?.parse::<usize>().ok();
    tokens.iter().filter(|it| it.kind == Kind::Parameter).filter_map(number).max().unwrap_or(0)
}

/// A path as SQL must have it: names alone, each quoted where it must be.
pub(super) fn path_of(text: &str, account: &str) -> String {
    let tokens = parse_tokens(text, Dialect::Postgresql);
    let mut names: Vec<String> = Vec::new();
    for token in tokens {
        let name = match token.kind {
            Kind::Literal => Some(super::utility::string_content(token.text)),
            Kind::Word if token.is("default") => None,
            _ => Token::name(&token),
        };
        let name = name.map(|it| if it == "$user" { account.to_string() } else { it });
        names.extend(name.filter(|it| it != "pg_catalog" && !it.is_empty()).map(|it| quote(&it)));
    }
    names.join(", ")
}

/// Splits a file into statements, at semicolons that stand in nothing.
pub fn parse_statements(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut start = None;
    let mut end = 0;
    for token in parse_tokens(text, Dialect::Postgresql) {
        if token.is_sign(";") {
            statements.extend(start.take().and_then(|it| text.get(it..end)).map(str::to_string));
            continue;
        }
        start.get_or_insert(token.at);
        end = token.end();
    }
    statements.extend(start.and_then(|it| text.get(it..end)).map(str::to_string));
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(preparable(text), expected);
    }

    #[test]
    fn literals_become_parameters() {
        check("SELECT 'a', $2, 41111111 FROM t LIMIT 10;", "SELECT $3, $2, $4 FROM t LIMIT 10");
        check("now() + interval '1 hour'", "now() + $1::interval");
        check("now() - interval $1 day , x", "now() - $1::interval , x");
        check("timestamp(3) with time zone $1", "$1::timestamp ( 3 ) with time zone");
        check("extract($1 from d)", "extract(epoch from d)");
        check(
            "SELECT nextval('s.numbers'), setval('4111111111', 5)",
            "SELECT nextval('s.numbers'), setval($1, 5)",
        );
        check("a->>'x' || b::date /* 4 */ <= -1", "a->>$1 || b::date <= -1");
    }

    #[test]
    fn a_file_is_split_at_its_semicolons() {
        let found = parse_statements("-- x\nSELECT ';' ; ;\nDO $$ BEGIN; END $$;\nSELECT 2");
        assert_eq!(found, ["SELECT ';'", "DO $$ BEGIN; END $$", "SELECT 2"]);
    }
}
