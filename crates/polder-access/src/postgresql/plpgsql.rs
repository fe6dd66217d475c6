//! Takes the body of a PL/pgSQL function apart: its variables, and each piece of SQL in it.
//!
//! It knows where a statement ends and what stands before it (PL/pgSQL, chapter 43 of the manual), and no SQL: what a piece
//! needs is the server's to say.

use crate::sql::{Dialect, Kind, Token, exchanged, parse_tokens, quote, string};

/// Most pieces that are taken from one body.
const PIECES_MAX: usize = 2000;

/// A variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    /// Its type as it stands there; none for a record whose fields are known only when it runs.
    pub(super) kind: Option<String>,
}

/// A body, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) variables: Vec<Variable>,
    /// Statements and expressions (as `SELECT …`), without where their result goes.
    pub(super) pieces: Vec<String>,
    /// Strings that are run as SQL, as far as they stand there: what they are together is known only when it runs.
    pub(super) dynamic: Vec<String>,
    /// What could not be taken apart.
    pub(super) unknown: Vec<String>,
    /// Whether there is more than was looked at.
    pub(super) is_cut: bool,
}

/// Keywords after which a statement of SQL goes on as it is.
const SQL: [&str; 10] = [
    "select", "insert", "update", "delete", "merge", "with", "values", "table", "truncate", "lock",
];

/// Statements that hold no SQL, or none that needs anything.
const FREE: [&str; 12] = [
    "null", "get", "close", "commit", "rollback", "exit", "continue", "move", "set", "reset",
    "discard", "notify",
];

/// Takes a body apart.
pub(super) fn parse_body(text: &str) -> Body {
    let tokens = parse_tokens(text, Dialect::Postgresql);
    let mut reader =
        Reader { text, tokens: &tokens, at: 0, body: Body::default(), labels: Vec::new() };
    while reader.at < tokens.len() && reader.body.pieces.len() < PIECES_MAX {
        reader.step();
    }
    reader.body.is_cut = reader.at < tokens.len();
    let mut body = reader.body;
    if !reader.labels.is_empty() {
        for piece in &mut body.pieces {
            *piece = without_labels(piece, &reader.labels);
        }
    }
    body
}

/// A piece in which variables stand without the label of their block.
fn without_labels(piece: &str, labels: &[String]) -> String {
    let tokens = parse_tokens(piece, Dialect::Postgresql);
    let label = |(at, pair): (usize, &[Token<'_>])| {
        let [name, dot] = pair else { return None };
        let before = at.checked_sub(1).and_then(|it| tokens.get(it));
        let is_first = !before.is_some_and(|it| it.is_sign("."));
        let is_label = name.name().is_some_and(|it| labels.contains(&it));
        (is_first && is_label && dot.is_sign(".")).then(|| (name.at..dot.end(), ""))
    };
    exchanged(piece, tokens.windows(2).enumerate().filter_map(label))
}

/// What `format` makes of literals alone (9.4.1 of the manual); none where anything else is in it.
fn formatted(command: &[Token<'_>]) -> Option<String> {
    let [name, open, inner @ .., close] = command else { return None };
    if !name.is("format") || !open.is_sign("(") || !close.is_sign(")") {
        return None;
    }
    let mut values = Vec::new();
    for part in inner.split(|it| it.is_sign(",")) {
        let [value] = part else { return None };
        let value = Some(value).filter(|it| it.kind == Kind::Literal)?;
        values.push(super::utility::string_content(value.text));
    }
    let mut values = values.into_iter();
    let pattern = values.next()?;
    let mut out = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        match characters.next()? {
            '%' => out.push('%'),
            'I' => out.push_str(&quote(&values.next()?)),
            'L' => out.push_str(&string(&values.next()?)),
            's' => out.push_str(&values.next()?),
            _ => return None,
        }
    }
    Some(out)
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token<'a>],
    at: usize,
    body: Body,
    labels: Vec<String>,
}

impl<'a> Reader<'a> {
    fn peek(&self, ahead: usize) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at + ahead)
    }

    /// Tokens up to one of these keywords or signs outside of brackets and of `CASE … END`, which is passed too.
    fn until(&mut self, ends: &[&str]) -> &'a [Token<'a>] {
        let start = self.at;
        let (mut depth, mut cases) = (0_i32, 0_i32);
        while let Some(token) = self.tokens.get(self.at) {
            let is_end = ends.iter().any(|it| token.is(it) || token.is_sign(it));
            if is_end && depth <= 0 && cases == 0 {
                let found = self.tokens.get(start..self.at).unwrap_or_default();
                self.at += 1;
                return found;
            }
            match token.text {
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                _ if token.is("case") => cases += 1,
                _ if token.is("end") && cases > 0 => cases -= 1,
                _ => {}
            }
            self.at += 1;
        }
        self.tokens.get(start..).unwrap_or_default()
    }

    /// The text from the first of these tokens to the last.
    fn words(&self, tokens: &[Token<'_>]) -> String {
        match (tokens.first(), tokens.last()) {
            (Some(first), Some(last)) => {
                self.text.get(first.at..last.end()).unwrap_or_default().to_string()
            }
            _ => String::new(),
        }
    }

    fn expression(&mut self, tokens: &[Token<'_>]) {
        // A name or a literal alone calls nothing.
        let is_plain =
            |it: &Token<'_>| matches!(it.kind, Kind::Word | Kind::Quoted | Kind::Literal);
        if tokens.is_empty() || (tokens.len() == 1 && tokens.iter().all(is_plain)) {
            return;
        }
        let text = self.words(tokens);
        self.body.pieces.push(format!("SELECT {text}"));
    }

    /// A statement of SQL, without `INTO [STRICT] targets`.
    fn statement(&mut self, tokens: &[Token<'_>]) {
        let mut depth = 0_i32;
        let into = tokens.iter().enumerate().position(|(at, token)| {
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            let before = at.checked_sub(1).and_then(|it| tokens.get(it));
            let is_insert = before.is_some_and(|it| it.is_any(&["insert", "merge"]));
            depth == 0 && token.is("into") && !is_insert
        });
        let Some(at) = into else {
            let text = self.words(tokens);
            self.body.pieces.push(text);
            return;
        };
        let mut end = at + 1;
        if tokens.get(end).is_some_and(|it| it.is("strict")) {
            end += 1;
        }
        // `a`, `a.b`, `a[1]`, with commas between them.
        let mut is_name_next = true;
        while let Some(token) = tokens.get(end) {
            match token.kind {
                Kind::Word | Kind::Quoted if is_name_next => is_name_next = false,
                Kind::Sign if matches!(token.text, "." | ",") => is_name_next = true,
                Kind::Sign if token.text == "[" => {
                    while tokens.get(end).is_some_and(|it| !it.is_sign("]")) {
                        end += 1;
                    }
                }
                _ => break,
            }
            end += 1;
        }
        let before = self.words(tokens.get(..at).unwrap_or_default());
        let after = self.words(tokens.get(end..).unwrap_or_default());
        self.body.pieces.push(format!("{before} {after}"));
    }

    /// A string that is run: whatever literals stand in it.
    fn dynamic(&mut self, tokens: &[Token<'_>]) {
        let end =
            tokens.iter().position(|it| it.is_any(&["into", "using"])).unwrap_or(tokens.len());
        let (command, rest) = tokens.split_at(end);
        let literals: Vec<String> = command
            .iter()
            .filter(|it| it.kind == Kind::Literal)
            .map(|it| super::utility::string_content(it.text))
            .collect();
        let is_constant = command.len() == 1 && literals.len() == 1;
        let made = formatted(command);
        match is_constant {
            _ if made.is_some() => {
                self.body.pieces.extend(made.map(|it| without_parameters(&it)));
            }
            // Whatever it is given stands for a value of any type.
            true => self.body.pieces.extend(literals.iter().map(|it| without_parameters(it))),
            false => {
                self.body.dynamic.push(literals.join(" "));
                self.expression(command);
            }
        }
        if let Some(using) = rest.iter().position(|it| it.is("using")) {
            for part in rest.get(using + 1..).unwrap_or_default().split(|it| it.is_sign(",")) {
                self.expression(part);
            }
        }
    }

    fn step(&mut self) {
        let Some(first) = self.peek(0) else { return };
        let word = first.text.to_ascii_lowercase();
        let second = self.peek(1);
        match word.as_str() {
            "declare" => self.declarations(),
            "begin" | "loop" | "else" | "exception" | "then" => self.at += 1,
            "<" => {
                // A label: `<< name >>`.
                let tokens = self.until(&[">"]);
                self.labels.extend(tokens.iter().find_map(Token::name));
                self.at += usize::from(self.peek(0).is_some_and(|it| it.is_sign(">")));
            }
            "#" => self.at += 3,
            "end" | "raise" | "assert" if word != "end" => self.raise(),
            "end" => drop(self.until(&[";"])),
            "if" | "elsif" | "elseif" | "when" => {
                self.at += 1;
                let condition = self.until(&["then"]);
                // `EXCEPTION WHEN name OR name THEN` names conditions only.
                let is_list = condition
                    .iter()
                    .all(|it| it.is("or") || it.kind == Kind::Word || it.kind == Kind::Literal);
                if !is_list {
                    self.expression(condition);
                }
            }
            "case" => {
                self.at += 1;
                if !self.peek(0).is_some_and(|it| it.is("when")) {
                    let start = self.at;
                    while self.peek(0).is_some_and(|it| !it.is("when")) {
                        self.at += 1;
                    }
                    let found = self.tokens.get(start..self.at).unwrap_or_default();
                    self.expression(found);
                }
            }
            "while" => {
                self.at += 1;
                let condition = self.until(&["loop"]);
                self.expression(condition);
            }
            "for" | "foreach" => self.loop_over(),
            "return" => self.give_back(second),
            "perform" => {
                self.at += 1;
                let rest = self.until(&[";"]);
                let text = self.words(rest);
                self.body.pieces.push(format!("SELECT {text}"));
            }
            "execute" => {
                self.at += 1;
                let rest = self.until(&[";"]);
                self.dynamic(rest);
            }
            "open" => self.open(),
            "fetch" => drop(self.until(&[";"])),
            "call" | "do" | "copy" | "create" | "drop" | "alter" | "refresh" | "analyze" => {
                let tokens = self.until(&[";"]);
                let text = self.words(tokens);
                self.body.pieces.push(text);
            }
            it if SQL.contains(&it)
                && !second.is_some_and(|it| it.is_sign(":=") || it.is_sign("=")) =>
            {
                let tokens = self.until(&[";"]);
                self.statement(tokens);
            }
            it if FREE.contains(&it) => drop(self.until(&[";"])),
            ";" => self.at += 1,
            _ => self.assignment(),
        }
    }

    fn raise(&mut self) {
        let tokens = self.until(&[";"]);
        // `RAISE level 'format', expression, … USING option = expression`.
        for part in tokens.split(|it| it.is_sign(",") || it.is("using")).skip(1) {
            let value = part.iter().position(|it| it.is_sign("=") || it.is_sign(":="));
            let value = value.and_then(|it| part.get(it + 1..)).unwrap_or(part);
            if value.iter().any(|it| it.is_sign("(")) && balanced(value) {
                self.expression(value);
            }
        }
    }

    fn give_back(&mut self, second: Option<&Token<'_>>) {
        self.at += 1;
        if second.is_some_and(|it| it.is("query")) {
            self.at += 1;
            let rest = self.until(&[";"]);
            match rest.first().is_some_and(|it| it.is("execute")) {
                true => self.dynamic(rest.get(1..).unwrap_or_default()),
                false => {
                    let text = self.words(rest);
                    self.body.pieces.push(text);
                }
            }
            return;
        }
        self.at += usize::from(second.is_some_and(|it| it.is("next")));
        let rest = self.until(&[";"]);
        self.expression(rest);
    }

    fn loop_over(&mut self) {
        let is_array = self.peek(0).is_some_and(|it| it.is("foreach"));
        self.at += 1;
        let targets = self.until(&["in"]);
        if is_array {
            let array = self.until(&["loop"]);
            let at = array.iter().position(|it| it.is("array")).map_or(0, |it| it + 1);
            self.expression(array.get(at..).unwrap_or_default());
            return;
        }
        let rest = self.until(&["loop"]);
        let is_range = rest.iter().any(|it| it.is_sign(".."));
        match rest.first() {
            Some(first) if first.is("execute") => self.dynamic(rest.get(1..).unwrap_or_default()),
            _ if is_range => {
                // The variable of such a loop declares itself.
                if let Some(name) = targets.first().and_then(Token::name) {
                    self.body.variables.push(Variable { name, kind: Some("integer".into()) });
                }
                for part in rest.split(|it| it.is_sign("..") || it.is("by") || it.is("reverse")) {
                    self.expression(part);
                }
            }
            Some(first) if first.is_any(&SQL) || first.is_sign("(") => {
                let text = self.words(rest);
                self.body.pieces.push(text);
            }
            // A cursor, whose query stands where it is declared.
            _ => {}
        }
    }

    fn open(&mut self) {
        let tokens = self.until(&[";"]);
        let Some(at) = tokens.iter().position(|it| it.is("for")) else { return };
        let rest = tokens.get(at + 1..).unwrap_or_default();
        match rest.first().is_some_and(|it| it.is("execute")) {
            true => self.dynamic(rest.get(1..).unwrap_or_default()),
            false => {
                let text = self.words(rest);
                self.body.pieces.push(text);
            }
        }
    }

    fn assignment(&mut self) {
        let tokens = self.until(&[";"]);
        let at = tokens.iter().position(|it| it.is_sign(":=") || it.is_sign("="));
        match at.and_then(|it| tokens.get(it + 1..)) {
            Some(value) => self.expression(value),
            None if tokens.is_empty() => {}
            None => {
                // Anything else may hold data.
                let first = tokens.first().filter(|it| it.kind == Kind::Word);
                self.body.unknown.push(first.map_or("a sign", |it| it.text).to_string());
            }
        }
    }

    /// `name [CONSTANT] type [COLLATE c] [NOT NULL] [DEFAULT e]; … BEGIN`.
    fn declarations(&mut self) {
        self.at += 1;
        while let Some(first) = self.peek(0).filter(|it| !it.is("begin")) {
            let Some(name) = first.name() else {
                self.at += 1;
                continue;
            };
            let tokens = self.until(&[";"]);
            let rest = tokens.get(1..).unwrap_or_default();
            if rest.iter().any(|it| it.is("cursor")) {
                self.cursor(name, rest);
                continue;
            }
            if rest.first().is_some_and(|it| it.is("alias")) {
                continue;
            }
            let rest = match rest {
                [constant, rest @ ..] if constant.is("constant") => rest,
                rest => rest,
            };
            let ends = |it: &Token<'_>| {
                it.is_sign(":=") || it.is_sign("=") || it.is_any(&["default", "not", "collate"])
            };
            let end = rest.iter().position(ends).unwrap_or(rest.len());
            let (kind, value) = rest.split_at(end);
            let kind = match kind {
                [only] if only.is("record") => None,
                [kind @ .., percent, row] if percent.is_sign("%") && row.is("rowtype") => {
                    Some(self.words(kind))
                }
                kind => Some(self.words(kind)),
            };
            self.body.variables.push(Variable { name, kind });
            let at =
                value.iter().position(|it| it.is_sign(":=") || it.is_sign("=") || it.is("default"));
            self.expression(at.and_then(|it| value.get(it + 1..)).unwrap_or_default());
        }
    }

    /// `name CURSOR [(argument type, …)] FOR query`.
    fn cursor(&mut self, name: String, rest: &[Token<'_>]) {
        self.body.variables.push(Variable { name, kind: Some("refcursor".into()) });
        let Some(at) = rest.iter().position(|it| it.is_any(&["for", "is"])) else { return };
        let arguments = rest.get(..at).unwrap_or_default();
        if let Some(open) = arguments.iter().position(|it| it.is_sign("(")) {
            let inner = arguments.get(open + 1..arguments.len() - 1).unwrap_or_default();
            for part in inner.split(|it| it.is_sign(",")) {
                if let Some((name, kind)) = part.split_first()
                    && let Some(name) = name.name()
                {
                    self.body.variables.push(Variable { name, kind: Some(self.words(kind)) });
                }
            }
        }
        let text = self.words(rest.get(at + 1..).unwrap_or_default());
        self.body.pieces.push(text);
    }
}

fn balanced(tokens: &[Token<'_>]) -> bool {
    let mut depth = 0_i32;
    for token in tokens {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

/// SQL with `NULL` in the place of its parameters.
fn without_parameters(text: &str) -> String {
    let tokens = parse_tokens(text, Dialect::Postgresql);
    let parameters = tokens.iter().filter(|it| it.kind == Kind::Parameter);
    exchanged(text, parameters.map(|it| (it.at..it.end(), "NULL")))
}

/// A piece with `NULL` in the place of records of which the type is not known.
pub(super) fn without_records(piece: &str, records: &[String]) -> String {
    let tokens = parse_tokens(piece, Dialect::Postgresql);
    let record = |(at, token): (usize, &Token<'_>)| {
        let before = at.checked_sub(1).and_then(|it| tokens.get(it));
        let next = tokens.get(at + 1);
        let is_name =
            !before.is_some_and(|it| it.is_sign(".")) && !next.is_some_and(|it| it.is_sign("("));
        if !is_name || !token.name().is_some_and(|it| records.contains(&it)) {
            return None;
        }
        let end = match next.is_some_and(|it| it.is_sign(".")) {
            true => tokens.get(at + 2).map_or(piece.len(), Token::end),
            false => token.end(),
        };
        Some((token.at..end, "NULL"))
    };
    exchanged(piece, tokens.iter().enumerate().filter_map(record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_body_is_taken_apart() {
        let body = parse_body(
            "<<top>> DECLARE r bigint := next(1); o shop.orders%ROWTYPE; q record; n CONSTANT int NOT NULL DEFAULT 5;
               c CURSOR (k int) FOR SELECT * FROM a WHERE id = k;
             BEGIN
               INSERT INTO pay(x) VALUES (p) RETURNING id INTO r;
               SELECT a, b INTO STRICT o.id, n FROM t WHERE c = CASE WHEN p THEN 1 ELSE 2 END;
               IF EXISTS (SELECT 1 FROM u) THEN PERFORM f(r); ELSIF r > 1 THEN NULL; ELSE r := r + g(2); END IF;
               FOR q IN SELECT * FROM v LOOP UPDATE w SET x = q.y; END LOOP;
               FOR i IN 1..h(3) LOOP RAISE NOTICE 'x %', k(i); END LOOP;
               EXECUTE 'DELETE FROM gone';
               EXECUTE format('DELETE FROM %I', tab) USING m(1);
               EXECUTE format('DELETE FROM %I.%I WHERE a = %L', 's', 'Of', 'x') USING 1;
               PERFORM f(top.r, t.top);
               RETURN QUERY SELECT * FROM z;
               RETURN r;
             EXCEPTION WHEN unique_violation OR others THEN RETURN NULL; END top;",
        );
        let names: Vec<&str> = body.variables.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["r", "o", "q", "n", "c", "k", "i"]);
        assert_eq!(body.variables[1].kind.as_deref(), Some("shop.orders"));
        assert_eq!(body.variables[2].kind, None);
        assert_eq!(
            body.pieces,
            [
                "SELECT next(1)",
                "SELECT * FROM a WHERE id = k",
                "INSERT INTO pay(x) VALUES (p) RETURNING id ",
                "SELECT a, b FROM t WHERE c = CASE WHEN p THEN 1 ELSE 2 END",
                "SELECT EXISTS (SELECT 1 FROM u)",
                "SELECT f(r)",
                "SELECT r > 1",
                "SELECT r + g(2)",
                "SELECT * FROM v",
                "UPDATE w SET x = q.y",
                "SELECT h(3)",
                "SELECT k(i)",
                "DELETE FROM gone",
                "SELECT format('DELETE FROM %I', tab)",
                "SELECT m(1)",
                "DELETE FROM s.\"Of\" WHERE a = 'x'",
                "SELECT f(r, t.top)",
                "SELECT * FROM z",
            ]
        );
        assert_eq!(body.dynamic, ["DELETE FROM %I"]);
        assert!(body.unknown.is_empty(), "{:?}", body.unknown);
        let records = ["q".to_string()];
        assert_eq!(
            without_records("UPDATE w SET x = q.y, z = t.q", &records),
            "UPDATE w SET x = NULL, z = t.q"
        );
    }

    proptest! {
        #[test]
        fn any_text_comes_to_an_end(text in "(?s)([a-z]{1,6}|[;:=.<>()\\[\\]'$ ]|declare |begin |for |in |loop |case |end ){0,60}") {
            let _ = parse_body(&text);
        }
    }
}
