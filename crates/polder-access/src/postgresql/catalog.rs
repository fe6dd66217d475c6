//! Names of what trees give as numbers, and what else runs when a table is written to.

use super::session::Session;
use super::tree::{Node, Value, parse_tree, right};
use crate::{AccessError, Class, Object};
use std::collections::{BTreeMap, BTreeSet};

/// A table, view or sequence.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) object: Object,
    /// Names by number; numbers below zero are those of the system.
    pub(super) columns: BTreeMap<i32, String>,
    /// Columns of the primary key.
    pub(super) key: Vec<i32>,
}

impl Relation {
    /// Whether it lies in a schema of the server's own, or of one session.
    pub(super) fn is_foreign(&self) -> bool {
        self.object.schema.as_deref().is_none_or(is_system)
    }
}

/// Whether a schema is one of the server's own, or of one session.
pub(super) fn is_system(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema"
}

/// A function or procedure.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) number: u32,
    pub(super) object: Object,
    pub(super) language: String,
    /// Whether it runs with the rights of its owner.
    pub(super) is_definer: bool,
    /// Whether everyone may call it.
    pub(super) is_public: bool,
    pub(super) returns: String,
    pub(super) source: String,
    /// `search_path` that it sets for itself.
    pub(super) path: Option<String>,
    /// Name, type as SQL has it, and mode (`i o b v t`) of each argument.
    pub(super) arguments: Vec<(String, String, char)>,
    pub(super) is_of_extension: bool,
    /// The tree of what stands for arguments that are left out.
    pub(super) defaults: String,
}

/// A function that runs when a table is written to.
#[derive(Clone, Debug)]
pub(super) struct Trigger {
    pub(super) function: u32,
    /// The table it is on: this one or one below it.
    pub(super) table: u32,
    /// Names under which it sees the rows that were changed (transition tables).
    pub(super) transitions: Vec<String>,
}

/// Triggers that fire, and functions that are called besides.
type Runs = (Vec<Trigger>, Vec<u32>);

/// What was asked of the catalog so far.
#[derive(Default)]
pub(super) struct Catalog {
    relations: BTreeMap<u32, Relation>,
    functions: BTreeMap<u32, Option<Function>>,
    /// Tables for which anything runs when they are written to.
    active: BTreeSet<u32>,
    runs: BTreeMap<(u32, u64, Vec<i32>), Runs>,
    /// Names of the schemas of this database.
    pub(super) schemas: BTreeSet<String>,
}

const RELATIONS: &str = "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, a.attnum::int, a.attname::text, \
        coalesce(a.attnum = ANY (i.indkey), false) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped \
    LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary \
    WHERE c.oid = ANY ($1)";

const FUNCTIONS: &str = "SELECT p.oid, n.nspname::text, p.proname::text, pg_catalog.oidvectortypes(p.proargtypes), l.lanname::text, p.prosecdef, \
        p.prosrc, p.proconfig, p.prokind::text, coalesce(p.proargnames, '{}'), \
        (SELECT coalesce(pg_catalog.array_agg(pg_catalog.format_type(t, NULL) ORDER BY o), '{}') \
            FROM pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS x(t, o)), \
        coalesce((SELECT pg_catalog.string_agg(m::text, '' ORDER BY o) FROM pg_catalog.unnest(p.proargmodes) WITH ORDINALITY AS x(m, o)), ''), \
        EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'), \
        EXISTS (SELECT 1 FROM pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) x WHERE x.grantee = 0), \
        pg_catalog.format_type(p.prorettype, NULL), coalesce(p.proargdefaults::text, '') \
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
    WHERE p.oid = ANY ($1)";

/// Triggers of a table and of all below it, which fire for rows that come through it. What the server makes itself, for
/// foreign keys, runs as the owner of the table.
const TRIGGERS: &str = "WITH RECURSIVE below(oid) AS (SELECT $1::oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN below b ON i.inhparent = b.oid) \
    SELECT DISTINCT t.tgfoid, t.tgrelid, t.tgtype::int, t.tgattr::int2[], coalesce(t.tgqual::text, ''), coalesce(t.tgoldtable::text, ''), coalesce(t.tgnewtable::text, '') FROM pg_catalog.pg_trigger t JOIN below b ON b.oid = t.tgrelid \
    WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' ORDER BY 1, 2";

/// Expressions that are computed as whoever writes a row: constraints, indices, columns that are generated.
const EXPRESSIONS: &str = "WITH RECURSIVE below(oid) AS (SELECT $1::oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN below b ON i.inhparent = b.oid) \
    SELECT conbin::text FROM pg_catalog.pg_constraint JOIN below b ON conrelid = b.oid WHERE conbin IS NOT NULL \
    UNION ALL SELECT indexprs::text FROM pg_catalog.pg_index JOIN below b ON indrelid = b.oid WHERE indexprs IS NOT NULL \
    UNION ALL SELECT indpred::text FROM pg_catalog.pg_index JOIN below b ON indrelid = b.oid WHERE indpred IS NOT NULL \
    UNION ALL SELECT adbin::text FROM pg_catalog.pg_attrdef d JOIN below b ON d.adrelid = b.oid \
        JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE a.attgenerated <> '' \
    UNION ALL SELECT c.conbin::text FROM pg_catalog.pg_attribute a JOIN below b ON a.attrelid = b.oid \
        JOIN pg_catalog.pg_constraint c ON c.contypid = a.atttypid AND c.contypid <> 0 WHERE c.conbin IS NOT NULL";

/// Tables for which anything runs when they are written to, and those above them.
const ACTIVE: &str = "WITH RECURSIVE up(oid) AS ( \
        SELECT tgrelid FROM pg_catalog.pg_trigger WHERE NOT tgisinternal \
        UNION SELECT conrelid FROM pg_catalog.pg_constraint WHERE conbin IS NOT NULL AND conrelid <> 0 \
        UNION SELECT indrelid FROM pg_catalog.pg_index WHERE indexprs IS NOT NULL OR indpred IS NOT NULL \
        UNION SELECT attrelid FROM pg_catalog.pg_attribute WHERE attgenerated <> '' \
        UNION SELECT a.attrelid FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_constraint c ON c.contypid = a.atttypid AND c.contypid <> 0 \
        UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN up ON i.inhrelid = up.oid) \
    SELECT oid FROM up";

/// Most relations whose names are asked for all at once.
const AT_ONCE_MAX: i64 = 20_000;

const DOING: &str = "names in the catalog";

impl Catalog {
    /// Asks for the names of schemas.
    pub(super) fn new(session: &mut Session) -> Result<Self, AccessError> {
        let rows = session.rows("SELECT nspname::text FROM pg_catalog.pg_namespace", &[], DOING)?;
        let schemas = rows.iter().map(|it| it.get(0)).collect();
        let active = session.rows(ACTIVE, &[], DOING)?.iter().map(|it| it.get(0)).collect();
        let mut it = Self { schemas, active, ..Self::default() };
        let sql = "SELECT pg_catalog.array_agg(c.oid), pg_catalog.count(*) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')";
        if let Some(row) = session.rows(sql, &[], DOING)?.first()
            && row.get::<_, i64>(1) <= AT_ONCE_MAX
        {
            let all: Option<Vec<u32>> = row.get(0);
            it.load(session, &all.unwrap_or_default())?;
        }
        Ok(it)
    }

    /// Relations by number.
    pub(super) fn load(
        &mut self,
        session: &mut Session,
        numbers: &[u32],
    ) -> Result<(), AccessError> {
        let new: Vec<u32> =
            numbers.iter().copied().filter(|it| !self.relations.contains_key(it)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for row in session.rows(RELATIONS, &[&new], DOING)? {
            let kind = row.get::<_, String>(3).chars().next().unwrap_or('r');
            let class = if kind == 'S' { Class::Sequence } else { Class::Table };
            let (schema, name): (String, String) = (row.get(1), row.get(2));
            let relation = self.relations.entry(row.get(0)).or_insert_with(|| Relation {
                object: Object::within(class, schema, name),
                columns: BTreeMap::new(),
                key: Vec::new(),
            });
            if let (Some(number), Some(name)) = (row.get::<_, Option<i32>>(4), row.get(5)) {
                relation.columns.insert(number, name);
                if row.get(6) && !relation.key.contains(&number) {
                    relation.key.push(number);
                }
            }
        }
        Ok(())
    }

    /// A relation that was loaded; none for one that is not there any more.
    pub(super) fn relation(&self, number: u32) -> Option<&Relation> {
        self.relations.get(&number)
    }

    /// A function; none for one that is not there any more.
    pub(super) fn function(
        &mut self,
        session: &mut Session,
        number: u32,
    ) -> Result<Option<&Function>, AccessError> {
        if !self.functions.contains_key(&number) {
            self.load_functions(session, &[number])?;
        }
        Ok(self.functions.get(&number).and_then(Option::as_ref))
    }

    /// Functions by number, all at once.
    pub(super) fn load_functions(
        &mut self,
        session: &mut Session,
        numbers: &[u32],
    ) -> Result<(), AccessError> {
        let new: Vec<u32> =
            numbers.iter().copied().filter(|it| !self.functions.contains_key(it)).collect();
        if new.is_empty() {
            return Ok(());
        }
        // Types are named as they are elsewhere: with their schema.
        session.path("")?;
        for row in session.rows(FUNCTIONS, &[&new], DOING)? {
            let names: Vec<String> = row.get(9);
            let types: Vec<String> = row.get(10);
            let modes: String = row.get(11);
            let mut modes = modes.chars();
            let class = match row.get::<_, &str>(8) {
                "p" => Class::Procedure,
                _ => Class::Function,
            };
            let config: Option<Vec<String>> = row.get(7);
            let path = config.unwrap_or_default().into_iter();
            let function = Function {
                number: row.get(0),
                object: Object {
                    arguments: Some(row.get(3)),
                    ..Object::within(class, row.get::<_, String>(1), row.get::<_, String>(2))
                },
                language: row.get(4),
                is_definer: row.get(5),
                source: row.get(6),
                path: path
                    .filter_map(|it| it.strip_prefix("search_path=").map(str::to_string))
                    .next(),
                arguments: types
                    .into_iter()
                    .enumerate()
                    .map(|(at, kind)| {
                        let name = names.get(at).cloned().unwrap_or_default();
                        (name, kind, modes.next().unwrap_or('i'))
                    })
                    .collect(),
                is_of_extension: row.get(12),
                is_public: row.get(13),
                returns: row.get(14),
                defaults: row.get(15),
            };
            self.functions.insert(function.number, Some(function));
        }
        for number in new {
            self.functions.entry(number).or_insert(None);
        }
        Ok(())
    }

    /// Triggers that fire, and functions that are called besides, when rows of a table are written.
    pub(super) fn runs(
        &mut self,
        session: &mut Session,
        table: u32,
        rights: u64,
        updated: &[i32],
    ) -> Result<Runs, AccessError> {
        if !self.active.contains(&table) {
            return Ok(Default::default());
        }
        let key = (table, rights, updated.to_vec());
        if let Some(known) = self.runs.get(&key) {
            return Ok(known.clone());
        }
        let mut triggers = Vec::new();
        let mut functions = Vec::new();
        for row in session.rows(TRIGGERS, &[&table], DOING)? {
            let bits: i32 = row.get(2);
            let columns: Vec<i16> = row.get(3);
            // Bits of `pg_trigger.tgtype` (`catalog/pg_trigger.h`).
            let fires = (bits & 4 != 0 && rights & right::INSERT != 0)
                || (bits & 8 != 0 && rights & right::DELETE != 0)
                || (bits & 32 != 0 && rights & TRUNCATES != 0)
                || (bits & 16 != 0
                    && rights & right::UPDATE != 0
                    && (columns.is_empty()
                        || columns.iter().any(|it| updated.contains(&i32::from(*it)))));
            if fires {
                let transitions: [String; 2] = [row.get(5), row.get(6)];
                triggers.push(Trigger {
                    function: row.get(0),
                    table: row.get(1),
                    transitions: transitions.into_iter().filter(|it| !it.is_empty()).collect(),
                });
                functions.extend(functions_of(row.get(4)));
            }
        }
        if rights & (right::INSERT | right::UPDATE) != 0 {
            for row in session.rows(EXPRESSIONS, &[&table], DOING)? {
                functions.extend(functions_of(row.get(0)));
            }
        }
        self.runs.insert(key, (triggers.clone(), functions.clone()));
        Ok((triggers, functions))
    }
}

/// The bit of TRUNCATE (`nodes/parsenodes.h`).
pub(super) const TRUNCATES: u64 = 1 << 4;

/// Functions that an expression calls.
fn functions_of(text: &str) -> Vec<u32> {
    let values = parse_tree(text).unwrap_or_default();
    super::tree::TreeNeeds::of(&values).functions
}

/// Types that a tree names, by number: of constants, parameters, conversions.
pub(super) fn types_of(values: &[Value<'_>], types: &mut BTreeSet<u32>) {
    for value in values {
        match value {
            Value::Word(_) => {}
            Value::List(items) => types_of(items, types),
            Value::Node(node) => types_of_node(node, types),
        }
    }
}

fn types_of_node(node: &Node<'_>, types: &mut BTreeSet<u32>) {
    for field in ["consttype", "paramtype", "resulttype", "funcresulttype", "array_typeid"] {
        // The server's own types have lower numbers (`FirstNormalObjectId`).
        types.extend(node.number::<u32>(field).filter(|it| *it >= 16_384));
    }
    for (_, values) in &node.fields {
        types_of(values, types);
    }
}
