//! Words of SQL: enough to take every literal out of a statement, and to tell one word from the next.
//!
//! It knows no grammar. What a statement means is the server's to say.

/// What a piece of SQL is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in double quotes (in backticks, for MariaDB).
    Quoted,
    /// A string, a number, or bits: what may hold somebody's data.
    Literal,
    /// `$1`, or `?`.
    Parameter,
    /// Anything else that is not blank: one character, or `::`, `:=`, `..`.
    Sign,
}

/// A piece of SQL, without blanks and comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// As it stands there.
    pub text: &'a str,
    /// Where it begins, in bytes.
    pub at: usize,
}

impl Token<'_> {
    /// Whether this is a keyword, in whatever case.
    pub fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether this is one of these keywords.
    pub fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|it| self.is(it))
    }

    /// Whether this is a sign.
    pub fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    /// Where it ends, in bytes.
    pub fn end(&self) -> usize {
        self.at + self.text.len()
    }

    /// The name as the server knows it: without quotes, and in lower case unless it had some.
    pub fn name(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(self.text.to_lowercase()),
            Kind::Quoted => {
                let quote = self.text.get(..1)?;
                let inner = self.text.get(1..self.text.len().checked_sub(1)?)?;
                Some(inner.replace(&quote.repeat(2), quote))
            }
            _ => None,
        }
    }
}

/// Whether a backslash hides the next character of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Only in strings that begin with `E` (`standard_conforming_strings`).
    Postgresql,
    /// Backticks quote names.
    Mariadb {
        /// Double quotes are around names (`ANSI_QUOTES`), and not around strings.
        is_ansi: bool,
        /// Always, unless the mode says otherwise (`NO_BACKSLASH_ESCAPES`).
        escapes: bool,
    },
}

impl Dialect {
    /// MariaDB as it is delivered.
    pub const MARIADB: Self = Self::Mariadb { is_ansi: false, escapes: true };

    /// Whether a backslash hides the next character of any string.
    fn escapes(self) -> bool {
        matches!(self, Self::Mariadb { escapes: true, .. })
    }

    fn is_mariadb(self) -> bool {
        matches!(self, Self::Mariadb { .. })
    }

    fn is_ansi(self) -> bool {
        matches!(self, Self::Postgresql | Self::Mariadb { is_ansi: true, .. })
    }

    /// How a text must be read in which a quote follows a backslash: as the mode has it, unless only the other way closes all
    /// strings. None where both do.
    pub fn told_by(self, text: &str) -> Option<Self> {
        let Self::Mariadb { is_ansi, escapes } = self else { return Some(self) };
        if !text.contains("\\'") && !text.contains("\\\"") {
            return Some(self);
        }
        let other = Self::Mariadb { is_ansi, escapes: !escapes };
        match (is_closed(text, self), is_closed(text, other)) {
            (true, true) => None,
            (false, true) => Some(other),
            _ => Some(self),
        }
    }
}

/// Whether all strings and names end.
fn is_closed(text: &str, dialect: Dialect) -> bool {
    let last = parse_tokens(text, dialect).last().copied();
    let Some(last) = last.filter(|it| matches!(it.kind, Kind::Literal | Kind::Quoted)) else {
        return true;
    };
    let bytes = last.text.as_bytes();
    let Some(from) = bytes.iter().position(|it| matches!(it, b'\'' | b'"' | b'`')) else {
        return true;
    };
    // What is not closed goes to the end: one more quote would be part of it.
    let mut longer = last.text.to_string();
    longer.push(char::from(bytes.get(from).copied().unwrap_or(b'\'')));
    longer.push(';');
    let closed = quoted(bytes, from, dialect.escapes());
    closed == bytes.len() && parse_tokens(&longer, dialect).len() == 1
}

/// Splits SQL into its pieces; what is not closed goes to the end of the text.
pub fn parse_tokens(text: &str, dialect: Dialect) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|it| !it.is_empty()) {
        let blank = blanks(rest, dialect);
        if blank > 0 {
            at += blank;
            continue;
        }
        let (kind, length) = piece(rest, dialect);
        let length = length.clamp(1, rest.len());
        let end = (length..=rest.len()).find(|it| rest.is_char_boundary(*it));
        let Some(piece) = rest.get(..end.unwrap_or(rest.len())) else { break };
        tokens.push(Token { kind, text: piece, at });
        at += piece.len();
    }
    tokens
}

/// The statement with a sign in the place of each literal, so that nobody's data is in it, and without comments, which may
/// hold anything. Where there were blanks there is one.
///
/// A quote after a backslash ends a string or not, as a setting of the session has it: such a statement is not shown.
pub fn without_literals(text: &str, dialect: Dialect) -> String {
    const UNCLEAR: &str = "(a statement with a quote after a backslash)";
    if dialect == Dialect::Postgresql && (text.contains("\\'") || text.contains("\\\"")) {
        return UNCLEAR.into();
    }
    let Some(dialect) = dialect.told_by(text) else { return UNCLEAR.into() };
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for token in parse_tokens(text, dialect) {
        if token.at > end && !out.is_empty() {
            out.push(' ');
        }
        end = token.end();
        out.push_str(if token.kind == Kind::Literal { "?" } else { token.text });
    }
    out
}

/// What two statements have in common that differ in literals, parameters and blanks alone.
pub fn shape(text: &str, dialect: Dialect) -> String {
    let mut out = String::with_capacity(text.len());
    for token in parse_tokens(text, dialect) {
        if token.is_sign(";") {
            continue;
        }
        match token.kind {
            Kind::Literal | Kind::Parameter => out.push('?'),
            Kind::Word => out.push_str(&token.text.to_lowercase()),
            _ => out.push_str(token.text),
        }
        out.push(' ');
    }
    out
}

/// A text with other words in the place of some of its parts, which come in order.
pub(crate) fn exchanged<'a>(
    text: &str,
    parts: impl IntoIterator<Item = (std::ops::Range<usize>, &'a str)>,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for (range, words) in parts {
        out.push_str(text.get(end..range.start).unwrap_or_default());
        out.push_str(words);
        end = range.end;
    }
    out.push_str(text.get(end..).unwrap_or_default());
    out
}

/// Bytes of blanks and comments at the beginning.
fn blanks(rest: &str, dialect: Dialect) -> usize {
    let blank = rest.len() - rest.trim_start().len();
    if blank > 0 {
        return blank;
    }
    // To MariaDB two dashes are a comment only before a blank (Comment Syntax): `5--1` is six.
    let is_dashes = rest.strip_prefix("--").is_some_and(|it| {
        !dialect.is_mariadb()
            || it.chars().next().is_none_or(|it| it.is_whitespace() || it.is_control())
    });
    let is_line = is_dashes || (dialect.is_mariadb() && rest.starts_with('#'));
    if is_line {
        return rest.find(['\n', '\r']).map_or(rest.len(), |it| it + 1);
    }
    // What stands in `/*! … */` is run, by servers from a version on that may stand there, too.
    if dialect.is_mariadb() && (rest.starts_with("/*!") || rest.starts_with("/*M!")) {
        return 0;
    }
    if !rest.starts_with("/*") {
        return 0;
    }
    // Comments of PostgreSQL hold comments (4.1.5 of its manual).
    let bytes = rest.as_bytes();
    let (mut at, mut depth) = (2, 1);
    while depth > 0 && at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") if dialect == Dialect::Postgresql => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

/// Kind and length of the piece at the beginning.
fn piece(rest: &str, dialect: Dialect) -> (Kind, usize) {
    let bytes = rest.as_bytes();
    let second = bytes.get(1).copied();
    if dialect.is_mariadb() && (rest.starts_with("/*") || rest.starts_with("*/")) {
        // Only those that are run come here.
        let inner = rest.trim_start_matches(['/', '*', 'M', '!']);
        let inner = inner.trim_start_matches(|it: char| it.is_ascii_digit());
        return (Kind::Sign, if rest.starts_with("*/") { 2 } else { rest.len() - inner.len() });
    }
    if dialect.is_mariadb() && bytes.first().is_some_and(|it| it.is_ascii_digit() || *it >= 0x80) {
        return numbered(rest);
    }
    match bytes.first().copied().unwrap_or(b' ') {
        b'\'' => (Kind::Literal, quoted(bytes, 0, dialect.escapes())),
        b'"' if !dialect.is_ansi() => (Kind::Literal, quoted(bytes, 0, dialect.escapes())),
        b'"' | b'`' => (Kind::Quoted, quoted(bytes, 0, false)),
        b'e' | b'E' if second == Some(b'\'') => (Kind::Literal, quoted(bytes, 1, true)),
        b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if second == Some(b'\'') => {
            (Kind::Literal, quoted(bytes, 1, false))
        }
        b'u' | b'U' if second == Some(b'&') => match bytes.get(2) {
            Some(b'\'') => (Kind::Literal, quoted(bytes, 2, false)),
            Some(b'"') => (Kind::Quoted, quoted(bytes, 2, false)),
            _ => (Kind::Word, 1),
        },
        b'$' if dialect == Dialect::Postgresql => match second {
            Some(digit) if digit.is_ascii_digit() => (Kind::Parameter, 1 + digits(bytes, 1)),
            _ => dollars(rest).map_or((Kind::Sign, 1), |it| (Kind::Literal, it)),
        },
        b'?' if dialect.is_mariadb() => (Kind::Parameter, 1),
        first if first.is_ascii_digit() => (Kind::Literal, number(bytes)),
        b'.' if second.is_some_and(|it| it.is_ascii_digit()) => (Kind::Literal, number(bytes)),
        first if first.is_ascii_alphabetic() || first == b'_' || first >= 0x80 => {
            let is_part = |it: &char| {
                it.is_alphanumeric()
                    || matches!(it, '_' | '$')
                    || (dialect.is_mariadb() && !it.is_ascii() && !it.is_whitespace())
            };
            let word: usize = rest.chars().take_while(is_part).map(char::len_utf8).sum();
            (Kind::Word, word)
        }
        b':' if matches!(second, Some(b':' | b'=')) => (Kind::Sign, 2),
        b'.' if second == Some(b'.') => (Kind::Sign, 2),
        _ => (Kind::Sign, 1),
    }
}

/// What begins with a digit, or with a sign of another script: to MariaDB names may, as long as they are no numbers
/// (Identifier Names).
fn numbered(rest: &str) -> (Kind, usize) {
    let is_part = |it: &char| {
        it.is_ascii_alphanumeric()
            || matches!(it, '_' | '$')
            || (!it.is_ascii() && !it.is_whitespace())
    };
    let run: usize = rest.chars().take_while(is_part).map(char::len_utf8).sum();
    let text = rest.get(..run).unwrap_or_default();
    let is_all = |text: &str, is: fn(char) -> bool| !text.is_empty() && text.chars().all(is);
    let digits = |text: &str| is_all(text, |it| it.is_ascii_digit());
    let is_based =
        text.strip_prefix("0x").is_some_and(|it| is_all(it, |it| it.is_ascii_hexdigit()))
            || text.strip_prefix("0b").is_some_and(|it| is_all(it, |it| matches!(it, '0' | '1')));
    let lower = text.to_ascii_lowercase();
    let is_exponent = lower.split_once('e').is_some_and(|(a, b)| {
        digits(a)
            && (digits(b)
                || (b.is_empty() && rest.get(run..).is_some_and(|it| it.starts_with(['+', '-']))))
    });
    match digits(text) || is_based || is_exponent {
        true => (Kind::Literal, number(rest.as_bytes()).max(1)),
        false if run == 0 => (Kind::Sign, 1),
        false => (Kind::Word, run),
    }
}

/// Length up to the quote that ends it; doubled ones do not.
fn quoted(bytes: &[u8], from: usize, escapes: bool) -> usize {
    let quote = bytes.get(from).copied().unwrap_or(b'\'');
    let mut at = from + 1;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'\\' && escapes {
            at += 2;
        } else if *byte == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 2;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// Length of a string between `$tag$`, if this is one.
fn dollars(rest: &str) -> Option<usize> {
    let end = rest.get(1..)?.find('$')? + 2;
    let tag = rest.get(..end)?;
    let inner = tag.get(1..end - 1)?;
    let is_tag = inner.chars().all(|it| it.is_alphanumeric() || it == '_')
        && !inner.starts_with(|it: char| it.is_ascii_digit());
    if !is_tag {
        return None;
    }
    Some(rest.get(end..)?.find(tag).map_or(rest.len(), |it| end + it + end))
}

fn digits(bytes: &[u8], from: usize) -> usize {
    bytes.iter().skip(from).take_while(|it| it.is_ascii_digit()).count()
}

/// Length of a number; `1..2` is two of them.
fn number(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let is_part = byte.is_ascii_alphanumeric()
            || (*byte == b'.' && bytes.get(at + 1) != Some(&b'.'))
            || (matches!(byte, b'+' | b'-')
                && bytes.get(at.wrapping_sub(1)).is_some_and(|it| matches!(it, b'e' | b'E'))
                && bytes.get(at + 1).is_some_and(u8::is_ascii_digit));
        if !is_part {
            break;
        }
        at += 1;
    }
    at
}

/// Names that must be quoted though they look harmless: reserved words of PostgreSQL (appendix C of its manual).
const RESERVED: &str = " all analyse analyze and any array as asc asymmetric authorization between binary both case cast \
check collate collation column concurrently constraint create cross current_catalog current_date current_role \
current_schema current_time current_timestamp current_user default deferrable desc distinct do else end except false \
fetch for foreign freeze from full grant group having ilike in initially inner intersect into is isnull join lateral \
leading left like limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing \
primary references returning right select session_user similar some symmetric system_user table tablesample then to \
trailing true union unique user using variadic verbose when where window with between bigint bit boolean char character \
coalesce dec decimal exists extract float greatest grouping inout int integer interval json json_array json_arrayagg \
json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value least merge_action \
national nchar none normalize nullif numeric out overlay position precision real row setof smallint substring time \
timestamp treat trim values varchar xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi \
xmlroot xmlserialize xmltable ";

/// A name as SQL of PostgreSQL must have it.
pub fn quote(name: &str) -> String {
    let is_plain = name.starts_with(|it: char| it.is_ascii_lowercase() || it == '_')
        && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
        && !RESERVED.contains(&format!(" {name} "));
    if is_plain { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A string as SQL of PostgreSQL must have it.
pub fn string(text: &str) -> String {
    match text.contains('\\') {
        true => format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(without_literals(text, Dialect::Postgresql), expected);
    }

    #[test]
    fn no_literal_is_left() {
        check("SELECT 'a''b', E'cd', $$e$$, $x$f$$g$x$ FROM t", "SELECT ?, ?, ?, ? FROM t");
        check("SELECT 'a\\', '4111'", "(a statement with a quote after a backslash)");
        check("SELECT 1 -- x\r4111", "SELECT ? ?");
        check("where a=1.5e-7 and  b = -0x1F or c = .5", "where a=? and b = -? or c = ?");
        check("select /* 4111 /* in */ out */ 1 -- 4111\n, \"4111\"", "select ? , \"4111\"");
        check("select U&'x', B'01', n'y', u.e FROM u", "select ?, ?, ?, u.e FROM u");
        check("select $1::int, a[1..2]", "select $1::int, a[?..?]");
        check("select 'never closed 4111", "select ?");
        check("select $a$never closed 4111", "select ?");
        let maria = without_literals("select `a`, \"4111\", 'x\\'y' # 4111", Dialect::MARIADB);
        assert_eq!(maria, "select `a`, ?, ?");
        let maria = without_literals(
            "select /*!50000 a, */ /* 4111 */ b from t /*M! where 1 */",
            Dialect::MARIADB,
        );
        assert_eq!(maria, "select /*!50000 a, */ b from t /*M! where ? */");
        let text = "select 5--1, 1v, 2e3, 1e-5, 0x4111, €v, 4e -- 4111";
        let maria = without_literals(text, Dialect::MARIADB);
        assert_eq!(maria, "select ?--?, 1v, ?, ?, ?, €v, 4e");
    }

    #[test]
    fn a_quote_after_a_backslash_is_read_in_the_way_that_closes() {
        let strict = Dialect::Mariadb { is_ansi: false, escapes: false };
        let both = |text: &str| [Dialect::MARIADB, strict].map(|it| without_literals(text, it));
        assert_eq!(both("a = 'O\\'R' and b"), ["a = ? and b"; 2].map(str::to_string));
        assert_eq!(both("a = 'x\\' and b = 4111"), ["a = ? and b = ?"; 2].map(str::to_string));
        let unclear = "(a statement with a quote after a backslash)";
        assert_eq!(both("a = 'x\\'4111\\'y'"), [unclear; 2].map(str::to_string));
    }

    #[test]
    fn names_are_as_the_server_knows_them() {
        let tokens = parse_tokens("Foo \"A\"\"b\"", Dialect::Postgresql);
        assert_eq!(tokens[0].name().as_deref(), Some("foo"));
        assert_eq!(tokens[1].name().as_deref(), Some("A\"b"));
        assert_eq!(quote("orders"), "orders");
        assert_eq!(quote("order"), "\"order\"");
        assert_eq!(quote("a\"b\n"), "\"a\"\"b\n\"");
    }

    proptest! {
        #[test]
        fn pieces_cover_the_text_in_order(text in "(?s).{0,200}") {
            for dialect in [
                Dialect::Postgresql,
                Dialect::MARIADB,
                Dialect::Mariadb { is_ansi: true, escapes: false },
            ] {
                let mut end = 0;
                for token in parse_tokens(&text, dialect) {
                    prop_assert!(token.at >= end);
                    prop_assert_eq!(&text[token.at..token.end()], token.text);
                    end = token.end();
                }
            }
        }

        #[test]
        fn a_string_keeps_its_content_to_itself(secret in "[0-9]{12}", text in "[^\\\\]{0,40}") {
            let sql = format!("select {} , {}", string(&format!("{text}{secret}")), 1);
            prop_assert!(!without_literals(&sql, Dialect::Postgresql).contains(&secret));
        }
    }
}
