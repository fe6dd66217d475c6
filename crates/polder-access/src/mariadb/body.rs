//! What a routine, trigger or event does, statement by statement (SQL/PSM as MariaDB has it).

use super::statement::{DYNAMIC, name_of};
use crate::sql::{Dialect, Kind, Token, exchanged, parse_tokens};
use std::collections::BTreeSet;

/// What stands in a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Body {
    /// Statements and expressions, each a statement by itself, with nothing in the place of variables.
    pub(super) pieces: Vec<String>,
    /// Columns of the row that a trigger looks at.
    pub(super) reads: BTreeSet<String>,
    /// Columns of the row that a trigger sets.
    pub(super) sets: BTreeSet<String>,
    /// Why some of it cannot be told.
    pub(super) unproved: Vec<String>,
}

/// Reads a body; `parameters` are names of its parameters.
pub(super) fn parse_body(text: &str, parameters: &[String]) -> Body {
    let tokens = parse_tokens(text, Dialect::MARIADB);
    let variables: BTreeSet<String> = parameters.iter().map(|it| it.to_lowercase()).collect();
    let scopes = vec![variables];
    let mut reader = Reader { text, tokens: &tokens, at: 0, scopes, body: Body::default() };
    while reader.at < tokens.len() {
        reader.statement();
    }
    reader.body
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token<'a>],
    at: usize,
    /// Names of variables, cursors and rows: of the parameters, and of each block that is open.
    scopes: Vec<BTreeSet<String>>,
    body: Body,
}

impl Reader<'_> {
    fn is(&self, offset: usize, words: &[&str]) -> bool {
        self.tokens.get(self.at + offset).is_some_and(|it| it.is_any(words))
    }

    fn is_sign(&self, offset: usize, sign: &str) -> bool {
        self.tokens.get(self.at + offset).is_some_and(|it| it.is_sign(sign))
    }

    /// Goes on to after one of these words at no depth, or to the end of the statement; answers where what stands before ends.
    fn until(&mut self, words: &[&str]) -> usize {
        let mut depth = 0usize;
        let mut cases = 0usize;
        while let Some(token) = self.tokens.get(self.at) {
            // An expression `CASE … END` has words of the statement in it.
            let in_case = cases > 0;
            if token.is("case") {
                cases += 1;
            } else if token.is("end") && in_case {
                cases -= 1;
            } else if token.is_sign("(") {
                depth += 1;
            } else if token.is_sign(")") {
                depth = depth.saturating_sub(1);
            } else if depth == 0 && !in_case {
                if token.is_any(words) {
                    self.at += 1;
                    return self.at - 1;
                }
                if token.is_sign(";") {
                    self.at += 1;
                    return self.at - 1;
                }
            }
            self.at += 1;
        }
        self.at
    }

    fn statement(&mut self) {
        let start = self.at;
        // A label.
        if self.is_sign(1, ":") {
            self.at += 2;
            return;
        }
        let Some(token) = self.tokens.get(self.at) else { return };
        match token.text.to_lowercase().as_str() {
            ";" => self.at += 1,
            "begin" => {
                self.scopes.push(BTreeSet::new());
                self.at += 1;
                if self.is(0, &["not"]) {
                    self.at += 2;
                }
            }
            "else" | "loop" | "repeat" | "then" => self.at += 1,
            // END, END IF, END LOOP label
            "end" => {
                let ends = ["if", "case", "loop", "while", "repeat", "for"];
                if !self.is(1, &ends) && self.scopes.len() > 1 {
                    self.scopes.pop();
                }
                self.at += if self.is(1, &["case"]) { 2 } else { 1 };
                self.until(&[]);
            }
            // The variables that FETCH fills are the routine's own.
            "leave" | "iterate" | "open" | "close" | "fetch" | "signal" | "resignal" | "get" => {
                self.until(&[]);
            }
            "if" | "elseif" => self.expression(1, &["then"]),
            "while" => self.expression(1, &["do"]),
            "until" => self.expression(1, &["end"]),
            "case" if self.is(1, &["when"]) => self.at += 1,
            "case" => self.expression(1, &["when"]),
            "when" => self.expression(1, &["then"]),
            "return" => self.expression(1, &[]),
            "for" => {
                let name = self.tokens.get(self.at + 1).and_then(name_of);
                if let (Some(name), Some(scope)) = (name, self.scopes.last_mut()) {
                    scope.insert(name.to_lowercase());
                }
                self.at += 3;
                if self.is_sign(0, "(") {
                    self.at += 1;
                    let from = self.at;
                    let end = self.closes();
                    self.piece(from, end, "");
                    self.until(&["do"]);
                } else {
                    self.until(&["do"]);
                }
            }
            "declare" => self.declare(),
            "set" => {
                let end = self.until(&[]);
                self.set(start + 1, end);
            }
            "execute" | "prepare" => {
                let end = self.until(&[]);
                self.dynamic(start, end);
            }
            _ => {
                let end = self.until(&[]);
                self.piece(start, end, "");
            }
        }
    }

    /// Where the sign that was opened is closed; goes on after it.
    fn closes(&mut self) -> usize {
        let mut depth = 1usize;
        while let Some(token) = self.tokens.get(self.at) {
            if token.is_sign("(") {
                depth += 1;
            } else if token.is_sign(")") {
                depth -= 1;
                if depth == 0 {
                    self.at += 1;
                    return self.at - 1;
                }
            }
            self.at += 1;
        }
        self.at
    }

    fn expression(&mut self, skip: usize, words: &[&str]) {
        self.at += skip;
        let from = self.at;
        let end = self.until(words);
        self.piece(from, end, "DO ");
        // What ends it may begin the next one.
        if words.contains(&"when") || words.contains(&"end") {
            self.at = end;
        }
    }

    fn declare(&mut self) {
        let start = self.at;
        let mut at = start + 1;
        while let Some(name) = self.tokens.get(at).and_then(name_of) {
            if let Some(scope) = self.scopes.last_mut() {
                scope.insert(name.to_lowercase());
            }
            at += 2;
            if !self.tokens.get(at - 1).is_some_and(|it| it.is_sign(",")) {
                break;
            }
        }
        if self.is(2, &["cursor"]) {
            let end_of_head = self.until(&["for"]);
            let end = self.until(&[]);
            self.piece(end_of_head + 1, end, "");
            return;
        }
        if self.is(2, &["handler"]) {
            // DECLARE EXIT HANDLER FOR SQLSTATE '23000', NOT FOUND statement
            self.at = start + 4;
            while self.at < self.tokens.len() {
                self.at += match () {
                    () if self.is(0, &["not"]) => 2,
                    () if self.is(0, &["sqlstate"]) && self.is(1, &["value"]) => 3,
                    () if self.is(0, &["sqlstate"]) => 2,
                    () => 1,
                };
                if !self.is_sign(0, ",") {
                    return;
                }
                self.at += 1;
            }
            return;
        }
        let head = self.until(&["default"]);
        if self.tokens.get(head).is_some_and(|it| it.is("default")) {
            let end = self.until(&[]);
            self.piece(head + 1, end, "DO ");
        }
    }

    /// `SET v = expression, NEW.c = expression`.
    fn set(&mut self, from: usize, end: usize) {
        let mut depth = 0usize;
        let mut start = from;
        for index in from..=end {
            let token = self.tokens.get(index);
            let is_end = index == end || (depth == 0 && token.is_some_and(|it| it.is_sign(",")));
            match token {
                Some(it) if it.is_sign("(") => depth += 1,
                Some(it) if it.is_sign(")") => depth = depth.saturating_sub(1),
                _ => {}
            }
            if !is_end {
                continue;
            }
            let part = self.tokens.get(start..index).unwrap_or_default();
            let sign = part.iter().position(|it| it.is_sign("=") || it.is_sign(":="));
            if let Some(sign) = sign {
                if part.first().is_some_and(|it| it.is("new"))
                    && let Some(column) = part.get(2).and_then(name_of)
                {
                    self.body.sets.insert(column);
                }
                self.piece(start + sign + 1, index, "DO ");
            }
            start = index + 1;
        }
    }

    fn dynamic(&mut self, from: usize, end: usize) {
        // EXECUTE s [USING …] runs what was prepared; only what is prepared counts.
        let is_prepared = self.tokens.get(from).is_some_and(|it| it.is("execute"))
            && !self.tokens.get(from + 1).is_some_and(|it| it.is("immediate"));
        if is_prepared {
            return;
        }
        let _ = end;
        self.body.unproved.push(DYNAMIC.into());
    }

    /// Notes a statement, with nothing in the place of variables.
    fn piece(&mut self, from: usize, end: usize, before: &str) {
        let tokens = self.tokens.get(from..end).unwrap_or_default();
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return };
        let start = first.at;
        let text = self.text.get(start..last.end()).unwrap_or_default();
        let mut parts: Vec<(std::ops::Range<usize>, &str)> = Vec::new();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let part = |a: &Token<'_>, b: &Token<'_>| a.at - start..b.end() - start;
            let is_row = token.is_any(&["new", "old"])
                && tokens.get(at + 1).is_some_and(|it| it.is_sign("."));
            if is_row && let Some(column) = tokens.get(at + 2) {
                self.body.reads.extend(name_of(column));
                parts.push((part(token, column), "NULL"));
                at += 3;
                continue;
            }
            // SELECT … INTO a, b FROM …
            if token.is("into")
                && self.is_variable(tokens.get(at + 1))
                && !Self::is_insert(tokens, at)
            {
                let mut end = at + 1;
                while tokens.get(end + 1).is_some_and(|it| it.is_sign(","))
                    && self.is_variable(tokens.get(end + 2))
                {
                    end += 2;
                }
                if let Some(last) = tokens.get(end) {
                    parts.push((part(token, last), ""));
                }
                at = end + 1;
                continue;
            }
            if self.is_variable(Some(token)) && !Self::is_named_otherwise(tokens, at) {
                let after = tokens.get(at.wrapping_sub(1));
                let is_count = after.is_some_and(|it| it.is_any(&["limit", "offset", "rows"]));
                let with = if is_count { "1" } else { "NULL" };
                // A field of a row.
                if tokens.get(at + 1).is_some_and(|it| it.is_sign("."))
                    && let Some(field) = tokens.get(at + 2)
                {
                    parts.push((part(token, field), with));
                    at += 3;
                    continue;
                }
                parts.push((part(token, token), with));
            }
            at += 1;
        }
        self.body.pieces.push(format!("{before}{}", exchanged(text, parts)));
    }

    fn is_variable(&self, token: Option<&Token<'_>>) -> bool {
        token.and_then(name_of).is_some_and(|it| {
            let name = it.to_lowercase();
            self.scopes.iter().any(|it| it.contains(&name))
        })
    }

    /// `INSERT INTO t`: a table may be named as a variable is.
    fn is_insert(tokens: &[Token<'_>], at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|it| tokens.get(it));
        before.is_some_and(|it| {
            it.kind == Kind::Word
                && it.is_any(&[
                    "insert",
                    "replace",
                    "ignore",
                    "delayed",
                    "low_priority",
                    "high_priority",
                ])
        })
    }

    /// A name that stands for something else: a column or table after a dot, a table, a function, a column that is set, an alias.
    fn is_named_otherwise(tokens: &[Token<'_>], at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|it| tokens.get(it));
        let after = tokens.get(at + 1);
        let is_after = before.is_some_and(|it| {
            it.is_sign(".")
                || it.is_sign("@")
                || it.is_any(&["from", "join", "into", "update", "table", "as", "call"])
        });
        let is_called = after.is_some_and(|it| it.is_sign("("));
        // UPDATE t SET a = …: what is set is a column; a comparison is one of values.
        let is_set = after.is_some_and(|it| it.is_sign("=")) && is_assigned(tokens, at);
        is_after || is_called || is_set || is_in_columns(tokens, at)
    }
}

/// Whether a name before `=` is set: after SET, or after a comma that follows one, with no WHERE between.
fn is_assigned(tokens: &[Token<'_>], at: usize) -> bool {
    let before = tokens.get(..at).unwrap_or_default();
    let previous = before.last();
    let is_first = previous.is_some_and(|it| it.is_any(&["set", "update"]));
    let is_next = previous.is_some_and(|it| it.is_sign(","));
    let last = before
        .iter()
        .rev()
        .find(|it| it.is_any(&["set", "update", "where", "select", "values", "on", "from"]));
    is_first || (is_next && last.is_some_and(|it| it.is_any(&["set", "update"])))
}

/// Whether a name stands in the list of columns of an INSERT.
fn is_in_columns(tokens: &[Token<'_>], at: usize) -> bool {
    let into = tokens.iter().take(at).rposition(|it| it.is("into"));
    let Some(into) = into else { return false };
    let between = tokens.get(into + 1..at).unwrap_or_default();
    let opens = between.iter().filter(|it| it.is_sign("(")).count();
    let closes = between.iter().filter(|it| it.is_sign(")")).count();
    opens == 1
        && closes == 0
        && !between.iter().any(|it| it.is_any(&["values", "value", "select", "set"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, parameters: &[&str], pieces: &[&str]) -> Body {
        let parameters: Vec<String> = parameters.iter().map(|it| it.to_string()).collect();
        let body = parse_body(text, &parameters);
        assert_eq!(body.pieces, pieces, "{text}");
        body
    }

    #[test]
    fn pieces_stand_for_themselves() {
        check(
            "begin declare n, m int default (select count(*) from t); declare c cursor for select a from t where b = x;
             declare continue handler for not found set n = 1;
             select a, b into n, m from t where id = x limit m;
             if n > (select 1 from u) then update t set n = m, b = n where n = x; else delete from u; end if;
             while n < 5 do set n = n + f(x); end while;
             l: loop fetch c into n; leave l; end loop;
             for r in (select id from t) do insert into u (n, a) values (r.id, n); end for;
             case n when 1 then call p(n); else begin end; end case;
             return n; end",
            &["x"],
            &[
                "DO (select count(*) from t)",
                "select a from t where b = NULL",
                "DO 1",
                "select a, b  from t where id = NULL limit 1",
                "DO NULL > (select 1 from u)",
                "update t set n = NULL, b = NULL where NULL = NULL",
                "delete from u",
                "DO NULL < 5",
                "DO NULL + f(NULL)",
                "select id from t",
                "insert into u (n, a) values (NULL, NULL)",
                "DO NULL",
                "DO 1",
                "call p(NULL)",
                "DO NULL",
            ],
        );
    }

    #[test]
    fn a_variable_ends_with_its_block() {
        check(
            "begin declare a int; begin declare b int; select b from t; end; select a, b from t; do f(); end",
            &[],
            &["select NULL from t", "select NULL, b from t", "do f()"],
        );
    }

    #[test]
    fn triggers_look_at_rows_and_set_columns() {
        let body = check(
            "begin set NEW.total = OLD.total + NEW.n; insert into log values (NEW.id, case when NEW.n = 1 then 'a' else 'b' end); end",
            &[],
            &[
                "DO NULL + NULL",
                "insert into log values (NULL, case when NULL = 1 then 'a' else 'b' end)",
            ],
        );
        assert_eq!(body.sets.into_iter().collect::<Vec<_>>(), ["total"]);
        assert_eq!(body.reads.into_iter().collect::<Vec<_>>(), ["id", "n", "total"]);
        assert!(!check("begin execute immediate 'x'; end", &[], &[]).unproved.is_empty());
    }
}
