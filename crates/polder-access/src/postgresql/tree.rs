//! Reads the trees that PostgreSQL prints of statements (`debug_print_rewritten`, columns of type `pg_node_tree`).
//!
//! A tree is told by its form alone (`nodes/outfuncs.c`, `nodes/read.c`), so whatever a later version adds is carried along.
//! Until 15 each relation of a statement says which rights it needs; since 16 that stands in nodes of its own. Both have the
//! same fields, and are read alike.

/// Most nodes within one another: deeper trees are not read.
const DEPTH_MAX: usize = 800;

/// Bit of the first column in a set of columns: system columns have numbers below zero
/// (`FirstLowInvalidHeapAttributeNumber`, `access/sysattr.h`).
const FIRST_COLUMN: i32 = -7;

/// Bits of rights (`nodes/parsenodes.h`).
pub mod right {
    /// INSERT.
    pub const INSERT: u64 = 1;
    /// SELECT.
    pub const SELECT: u64 = 1 << 1;
    /// UPDATE.
    pub const UPDATE: u64 = 1 << 2;
    /// DELETE.
    pub const DELETE: u64 = 1 << 3;
}

/// A part of a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Anything without parts.
    Word(&'a str),
    /// `( … )` and `[ … ]`.
    List(Vec<Value<'a>>),
    /// `{ … }`.
    Node(Node<'a>),
}

/// `{LABEL :field value …}`. A field has one value, or several that follow one another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node<'a> {
    /// Its kind, in capitals.
    pub label: &'a str,
    /// Its fields, in order.
    pub fields: Vec<(&'a str, Vec<Value<'a>>)>,
}

impl<'a> Node<'a> {
    fn first(&self, name: &str) -> Option<&Value<'a>> {
        self.fields.iter().find(|(it, _)| *it == name).and_then(|(_, values)| values.first())
    }

    /// The word in a field.
    pub fn word(&self, name: &str) -> Option<&'a str> {
        match self.first(name) {
            Some(Value::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// The number in a field.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.word(name)?.parse().ok()
    }

    /// The set of columns in a field: `(b 8 9)`.
    fn columns(&self, name: &str) -> Vec<i32> {
        let Some(Value::List(items)) = self.first(name) else { return Vec::new() };
        let bits = items.iter().filter_map(|it| match it {
            Value::Word(word) => word.parse::<i32>().ok(),
            _ => None,
        });
        bits.map(|it| it.saturating_add(FIRST_COLUMN)).collect()
    }

    /// What a field holds.
    pub fn values(&self, name: &str) -> &[Value<'a>] {
        self.fields.iter().find(|(it, _)| *it == name).map_or(&[], |(_, values)| values)
    }
}

/// Why a tree cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// It ends in the middle.
    #[error("the tree that the server printed is cut off")]
    CutOff,
    /// It is deeper than what is read.
    #[error("the tree that the server printed is deeper than {DEPTH_MAX} nodes")]
    TooDeep,
}

/// Reads a tree.
///
/// # Errors
/// When it is cut off or too deep.
pub fn parse_tree(text: &str) -> Result<Vec<Value<'_>>, TreeError> {
    let mut words = Words { text, at: 0 };
    let mut values = Vec::new();
    while let Some(word) = words.next() {
        values.push(value(word, &mut words, 0)?);
    }
    Ok(values)
}

/// Splits as `pg_strtok` of the server does: by blanks and brackets, a backslash hides what follows.
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let is_blank = |it: &u8| matches!(it, b' ' | b'\n' | b'\t' | b'\r');
        while bytes.get(self.at).is_some_and(&is_blank) {
            self.at += 1;
        }
        let start = self.at;
        let is_bracket = |it: &u8| matches!(it, b'(' | b')' | b'{' | b'}');
        if bytes.get(start).is_some_and(&is_bracket) {
            self.at += 1;
            return self.text.get(start..self.at);
        }
        while let Some(byte) = bytes.get(self.at).filter(|it| !is_blank(it) && !is_bracket(it)) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
        }
        self.at = self.at.min(bytes.len());
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        self.text.get(start..self.at).filter(|it| !it.is_empty())
    }
}

fn value<'a>(word: &'a str, words: &mut Words<'a>, depth: usize) -> Result<Value<'a>, TreeError> {
    if depth > DEPTH_MAX {
        return Err(TreeError::TooDeep);
    }
    match word {
        "{" => node(words, depth).map(Value::Node),
        "(" | "[" => {
            let end = if word == "(" { ")" } else { "]" };
            let mut items = Vec::new();
            loop {
                match words.next().ok_or(TreeError::CutOff)? {
                    it if it == end => return Ok(Value::List(items)),
                    it => items.push(value(it, words, depth + 1)?),
                }
            }
        }
        word => Ok(Value::Word(word)),
    }
}

fn node<'a>(words: &mut Words<'a>, depth: usize) -> Result<Node<'a>, TreeError> {
    let mut node = Node { label: words.next().ok_or(TreeError::CutOff)?, fields: Vec::new() };
    loop {
        let word = words.next().ok_or(TreeError::CutOff)?;
        if word == "}" {
            return Ok(node);
        }
        if let Some(name) = word.strip_prefix(':').filter(|it| !it.is_empty()) {
            node.fields.push((name, Vec::new()));
            continue;
        }
        let value = value(word, words, depth + 1)?;
        if let Some((_, values)) = node.fields.last_mut() {
            values.push(value);
        }
    }
}

/// A relation, and which rights on it a statement needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelationNeed {
    /// Its number (`pg_class.oid`).
    pub relation: u32,
    /// Bits of [`right`].
    pub rights: u64,
    /// Numbers of columns (`pg_attribute.attnum`); zero is the whole row.
    pub selected: Vec<i32>,
    /// The same, of rows that are added.
    pub inserted: Vec<i32>,
    /// The same, of rows that are changed.
    pub updated: Vec<i32>,
}

/// What is done with a sequence by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SequenceUse {
    /// `nextval`.
    Next,
    /// `currval`.
    Current,
    /// `setval`.
    Set,
}

/// What a tree says that somebody must be allowed to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeNeeds {
    /// Relations on which rights are checked for whoever runs it.
    pub relations: Vec<RelationNeed>,
    /// Relations that rows are written to, whoever must be allowed to, with what is done and the columns.
    pub written: Vec<RelationNeed>,
    /// Functions that are called (`pg_proc.oid`).
    pub functions: Vec<u32>,
    /// Those that are not the server's own, with how many arguments stand there: others are filled in when it is planned.
    pub calls: Vec<(u32, usize)>,
    /// Operators that are not the server's own (`pg_operator.oid`).
    pub operators: Vec<u32>,
    /// Operators with which rows are grouped or made distinct, of the same.
    pub grouping: Vec<u32>,
    /// Collations and configurations of text search that a statement names, of the same.
    pub others: Vec<u32>,
    /// Sequences; none where which one is known only when it runs.
    pub sequences: Vec<(SequenceUse, Option<u32>)>,
}

/// Functions of the catalog that take a sequence (`pg_proc.dat`).
const SEQUENCE_FUNCTIONS: [(u32, SequenceUse); 4] = [
    (1574, SequenceUse::Next),
    (1575, SequenceUse::Current),
    (1576, SequenceUse::Set),
    (1765, SequenceUse::Set),
];

impl TreeNeeds {
    /// What all of these trees need together.
    pub fn of(values: &[Value<'_>]) -> Self {
        let mut needs = Self::default();
        for value in values {
            needs.add(value);
        }
        needs.functions.sort_unstable();
        needs.functions.dedup();
        needs.sequences.sort_unstable();
        needs.sequences.dedup();
        needs
    }

    fn add(&mut self, value: &Value<'_>) {
        match value {
            Value::Word(_) => {}
            Value::List(items) => items.iter().for_each(|it| self.add(it)),
            Value::Node(node) => {
                self.add_node(node);
                for (_, values) in &node.fields {
                    values.iter().for_each(|it| self.add(it));
                }
            }
        }
    }

    fn add_node(&mut self, node: &Node<'_>) {
        if let (Some(relation), Some(rights)) =
            (node.number("relid"), node.number::<u64>("requiredPerms"))
        {
            let need = RelationNeed {
                relation,
                rights,
                selected: node.columns("selectedCols"),
                inserted: node.columns("insertedCols"),
                updated: node.columns("updatedCols"),
            };
            let writes = right::INSERT | right::UPDATE | right::DELETE;
            if relation != 0 && rights & writes != 0 {
                self.written.push(need.clone());
            }
            // Who owns a view is asked for what lies below it.
            if relation != 0 && rights != 0 && node.number("checkAsUser") == Some(0_u32) {
                self.relations.push(need);
            }
        }
        self.add_names(node);
        let function = match node.label {
            "FUNCEXPR" => node.number("funcid"),
            "AGGREF" => node.number("aggfnoid"),
            "WINDOWFUNC" => node.number("winfnoid"),
            "OPEXPR" | "DISTINCTEXPR" | "NULLIFEXPR" | "SCALARARRAYOPEXPR" => {
                node.number("opfuncid")
            }
            _ => None,
        };
        let Some(function) = function.filter(|it| *it != 0) else { return };
        self.functions.push(function);
        if node.label == "FUNCEXPR" && function >= FIRST_NORMAL {
            let count = node.values("args").iter().map(|it| match it {
                Value::List(items) => items.len(),
                _ => 0,
            });
            self.calls.push((function, count.sum()));
        }
        if let Some((_, how)) = SEQUENCE_FUNCTIONS.iter().find(|(it, _)| *it == function) {
            let which = node.values("args").iter().find_map(|it| match it {
                Value::List(items) => items.first().and_then(constant),
                _ => None,
            });
            self.sequences.push((*how, which));
        }
    }
}

impl TreeNeeds {
    /// What is named by its number, and not the server's own.
    fn add_names(&mut self, node: &Node<'_>) {
        let own = |it: &u32| *it >= FIRST_NORMAL;
        let number = |name: &str| node.number::<u32>(name).filter(own);
        match node.label {
            "OPEXPR" | "DISTINCTEXPR" | "NULLIFEXPR" | "SCALARARRAYOPEXPR" => {
                self.operators.extend(number("opno"));
            }
            "SORTGROUPCLAUSE" => self.grouping.extend(number("eqop")),
            "COLLATEEXPR" => self.others.extend(number("collOid")),
            "CONST" if node.number::<u32>("consttype") == Some(REGCONFIG) => {
                self.others.extend(constant(&Value::Node(node.clone())).filter(own));
            }
            _ => {}
        }
    }
}

/// The type of configurations of text search (`pg_type.dat`).
const REGCONFIG: u32 = 3734;

/// Numbers of the server's own things are lower (`access/transam.h`).
const FIRST_NORMAL: u32 = 16_384;

/// The number in a constant of four bytes, whatever conversions stand around it.
fn constant(value: &Value<'_>) -> Option<u32> {
    let Value::Node(node) = value else { return None };
    match node.label {
        "RELABELTYPE" => node.values("arg").first().and_then(constant),
        "CONST" => {
            let Some(Value::List(bytes)) = node.values("constvalue").get(1) else { return None };
            let mut four = [0_u8; 4];
            for (slot, it) in four.iter_mut().zip(bytes) {
                let Value::Word(word) = it else { return None };
                // Each byte is printed as a number with a sign.
                *slot = word.parse::<i16>().ok()?.to_le_bytes().first().copied()?;
            }
            Some(u32::from_ne_bytes(four)).filter(|it| *it != 0)
        }
        _ => None,
    }
}

/// Whether this is a statement that the server does not plan (`LOCK`, `CALL`, …), of which the tree tells nothing.
pub fn is_utility(values: &[Value<'_>]) -> bool {
    let first = match values.first() {
        Some(Value::List(items)) => items.first(),
        other => other,
    };
    let Some(Value::Node(node)) = first else { return false };
    node.label == "QUERY"
        && node.values("utilityStmt").first().is_some_and(|it| *it != Value::Word("<>"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BEFORE_16: &str = "({QUERY :commandType 3 :utilityStmt <> :rtable ({RANGETBLENTRY :eref {ALIAS :aliasname a\\ b :colnames (\"i\\)d\" \"\")} :relid 16391 \
        :requiredPerms 3 :checkAsUser 0 :selectedCols (b 8) :insertedCols (b 9 10) :updatedCols (b)} {RANGETBLENTRY :relid 7 :requiredPerms 2 \
        :checkAsUser 10 :selectedCols (b 8)}) :targetList ({TARGETENTRY :expr {FUNCEXPR :funcid 1574 :args ({CONST :consttype 2205 \
        :constvalue 4 [ 6 64 0 0 0 0 0 0 ]})}} {AGGREF :aggfnoid 2108} {FUNCEXPR :funcid 1574 :args ({PARAM :paramid 1})})})";
    const SINCE_16: &str = "({QUERY :commandType 1 :utilityStmt <> :rtable ({RANGETBLENTRY :relid 5 :perminfoindex 1}) :rteperminfos ({RTEPERMISSIONINFO :relid 5 \
        :inh true :requiredPerms 2 :checkAsUser 0 :selectedCols (b 7 8) :insertedCols (b) :updatedCols (b)})})";

    #[test]
    fn both_forms_are_read() {
        let needs = TreeNeeds::of(&parse_tree(BEFORE_16).unwrap());
        let need = RelationNeed {
            relation: 16391,
            rights: right::INSERT | right::SELECT,
            selected: vec![1],
            inserted: vec![2, 3],
            updated: vec![],
        };
        assert_eq!(needs.written, needs.relations);
        assert_eq!(needs.relations, [need]);
        assert_eq!(needs.functions, [1574, 2108]);
        let sequences = [(SequenceUse::Next, None), (SequenceUse::Next, Some(16390))];
        assert_eq!(needs.sequences, sequences);
        let needs = TreeNeeds::of(&parse_tree(SINCE_16).unwrap());
        assert_eq!(needs.relations[0].selected, [0, 1]);
    }

    #[test]
    fn what_is_cut_off_is_said() {
        assert_eq!(parse_tree("({QUERY :rtable ("), Err(TreeError::CutOff));
        assert_eq!(parse_tree(&"(".repeat(100_000)), Err(TreeError::TooDeep));
        assert!(is_utility(&parse_tree("({QUERY :commandType 6 :utilityStmt ?})").unwrap()));
        assert!(!is_utility(&parse_tree(SINCE_16).unwrap()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[(){}\\[\\]:<> a-z0-9\\\\é]{0,300}") {
            if let Ok(values) = parse_tree(&text) {
                let _ = TreeNeeds::of(&values);
            }
        }
    }
}
