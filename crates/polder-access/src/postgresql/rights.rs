//! What an account may do: its attributes, roles, rights, what it owns, and what everyone may do.

use super::catalog::is_system;
use super::piece::Piece;
use super::session::Session;
use crate::{AccessError, Atom, Class, Object, Privilege};
use postgres::Row;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A right that somebody has, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant {
    /// The right.
    pub atom: Atom,
    /// Who has it; none is everyone (PUBLIC).
    pub grantee: Option<String>,
    /// Who gave it.
    pub grantor: String,
    /// Whether that is the owner, in whose name whoever administers the server gives rights.
    pub is_by_owner: bool,
    /// Whether it may be given on.
    pub is_grantable: bool,
}

/// That one role is in another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Membership {
    /// The role it is in.
    pub role: String,
    /// Who is in it.
    pub member: String,
    /// Whether it may let others in.
    pub is_admin: bool,
    /// Whether it has the rights at once, without `SET ROLE` (told of each membership since 16).
    pub inherits: bool,
    /// Whether `SET ROLE` is allowed (the same).
    pub sets: bool,
    /// Who let it in.
    pub grantor: String,
}

/// A right that is given on things that are yet to be made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DefaultGrant {
    /// Who makes them.
    pub maker: String,
    /// Where; none is anywhere in the database.
    pub schema: Option<String>,
    /// What is made, as `ALTER DEFAULT PRIVILEGES` has it: `TABLES`, `SEQUENCES`, …
    pub kind: String,
    /// What may be done.
    pub privilege: Privilege,
    /// Who gets it; none is everyone.
    pub grantee: Option<String>,
    /// Whether it may be given on.
    pub is_grantable: bool,
}

/// Attributes of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attributes {
    /// May do anything.
    pub superuser: bool,
    /// May make databases.
    pub createdb: bool,
    /// May make roles, and until 15 give out most of them.
    pub createrole: bool,
    /// May copy the whole server.
    pub replication: bool,
    /// Sees rows whatever policies say.
    pub bypassrls: bool,
}

impl Attributes {
    /// Those that are set, as SQL has them.
    pub fn set(&self) -> Vec<&'static str> {
        let all = [
            (self.superuser, "SUPERUSER"),
            (self.createdb, "CREATEDB"),
            (self.createrole, "CREATEROLE"),
            (self.replication, "REPLICATION"),
            (self.bypassrls, "BYPASSRLS"),
        ];
        all.into_iter().filter(|it| it.0).map(|it| it.1).collect()
    }
}

/// A function that runs with the rights of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Definer {
    /// The function.
    pub object: Object,
    /// Whose rights it has.
    pub owner: String,
    /// Whether it says on which path names are looked up, so that nobody puts others in their place.
    pub is_pinned: bool,
    /// Whether everyone may call it.
    pub is_public: bool,
}

/// A table, as far as the consequence of a right depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableFacts {
    /// Rows, as the server estimates them; none where it never counted.
    pub rows: Option<u64>,
    /// Names of its columns, in order.
    pub columns: Vec<String>,
    /// Whether policies choose which rows are seen.
    pub has_policies: bool,
    /// Whether it holds its rows itself: a view does not.
    pub is_plain: bool,
    /// Columns that are computed of others.
    pub computed: Vec<String>,
    /// Whose it is.
    pub owner: String,
}

/// What an account may do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rights {
    /// The account.
    pub account: String,
    /// The database.
    pub database: String,
    /// Its attributes.
    pub attributes: Attributes,
    /// Memberships on the way from it to all roles that it is in.
    pub memberships: Vec<Membership>,
    /// Rights of the account, of roles it is in, and of everyone, on what is not the server's own.
    pub grants: Vec<Grant>,
    /// What everyone may do with the server's own things and could not when it was installed.
    pub everyones: Vec<String>,
    /// Rights that the account gave on to others.
    #[serde(skip)]
    pub given: Vec<Grant>,
    /// What it, or a role it is in, owns.
    pub owned: Vec<(Object, String)>,
    /// What it will get on things that are yet to be made.
    pub defaults: Vec<DefaultGrant>,
    /// Functions it may call that run with the rights of others.
    pub definers: Vec<Definer>,
    /// Tables, views and the like of the database; those of extensions are not its own.
    #[serde(skip)]
    pub tables: BTreeMap<Object, TableFacts>,
    /// Sequences, but for those of identity columns, which nobody calls by name.
    #[serde(skip)]
    pub sequences: Vec<Object>,
    /// Other roles, superusers and those of the server's own left out.
    #[serde(skip)]
    pub others: Vec<String>,
}

const DOING: &str = "rights";

impl Rights {
    /// Asks the server.
    ///
    /// # Errors
    /// When there is no such role, or what the server says.
    pub fn read(session: &mut Session, account: &str) -> Result<Self, AccessError> {
        let attributes = attributes(session, account)?;
        let attributes =
            attributes.ok_or_else(|| AccessError::NoAccount { name: account.into() })?;
        let rows = session.rows("SELECT current_database()::text", &[], DOING)?;
        let mut it = Self {
            account: account.to_string(),
            database: rows.first().map(|it| it.get(0)).unwrap_or_default(),
            attributes,
            ..Self::default()
        };
        it.memberships = memberships(session, account)?;
        let mut roles: Vec<String> = it.memberships.iter().map(|it| it.role.clone()).collect();
        roles.push(account.to_string());
        roles.sort();
        roles.dedup();
        let all = grants(session, &roles, Some(account))?;
        let is_held = |it: &Grant| it.grantee.as_ref().is_none_or(|it| roles.contains(it));
        it.given =
            all.iter().filter(|it| !it.is_by_owner && it.grantor == account).cloned().collect();
        it.grants = all.into_iter().filter(is_held).collect();
        let rows = session.rows(EVERYONES, &[], DOING)?;
        it.everyones = rows.iter().map(|it| it.get(0)).collect();
        it.owned = owned(session, &roles)?;
        it.defaults = defaults(session, &roles)?;
        it.definers = definers(session, &roles)?;
        it.tables = tables(session)?;
        let sql = "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
            WHERE c.relkind = 'S' AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')";
        let sequences = session.rows(sql, &[], DOING)?;
        let sequence = |row: &Row| {
            Object::within(Class::Sequence, row.get::<_, String>(0), row.get::<_, String>(1))
        };
        it.sequences = sequences.iter().map(sequence).collect();
        // What an extension gives to everyone is how it works.
        let tables = &it.tables;
        let is_of_extension = |it: &Grant| {
            it.grantee.is_none()
                && it.atom.object.class == Class::Table
                && !tables.contains_key(&it.atom.object)
        };
        it.grants.retain(|it| !is_of_extension(it));
        let sql = "SELECT rolname::text FROM pg_roles WHERE NOT rolsuper AND rolname !~ '^pg_' AND rolname <> $1 ORDER BY 1";
        it.others = session.rows(sql, &[&account], DOING)?.iter().map(|it| it.get(0)).collect();
        Ok(it)
    }

    /// Roles that the account is in, itself among them.
    pub fn roles(&self) -> BTreeSet<&str> {
        let mut roles: BTreeSet<&str> =
            self.memberships.iter().map(|it| it.role.as_str()).collect();
        roles.insert(&self.account);
        roles
    }

    /// Whether it may do anything.
    pub fn is_boundless(&self) -> bool {
        self.attributes.superuser
    }

    /// The same by thing, for many questions.
    pub fn held(&self) -> Held<'_> {
        let mut grants: Grants<'_> = HashMap::new();
        for grant in &self.grants {
            let columns = grants.entry((grant.atom.privilege, &grant.atom.object)).or_default();
            columns.insert(grant.atom.column.as_deref());
        }
        let by_role = |role: &str| self.memberships.iter().any(|it| it.role == role);
        Held {
            grants,
            owned: self.owned.iter().map(|(it, _)| it).collect(),
            reads_all: by_role("pg_read_all_data"),
            writes_all: by_role("pg_write_all_data"),
            is_boundless: self.is_boundless(),
        }
    }
}

/// Columns on which there is a right, by the right; none is the whole thing.
type Grants<'a> = HashMap<(Privilege, &'a Object), BTreeSet<Option<&'a str>>>;

/// What an account may do, by thing.
pub struct Held<'a> {
    grants: Grants<'a>,
    owned: BTreeSet<&'a Object>,
    reads_all: bool,
    writes_all: bool,
    is_boundless: bool,
}

impl Held<'_> {
    /// Whether the account has a right on a thing, by whatever way; of a column also through the whole table.
    pub fn has(&self, privilege: Privilege, object: &Object, column: Option<&str>) -> bool {
        let is_given = self.grants.get(&(privilege, object)).is_some_and(|it| {
            it.contains(&None) || column.is_some_and(|column| it.contains(&Some(column)))
        });
        let reads = matches!(privilege, Privilege::Select | Privilege::Usage);
        let writes = matches!(privilege, Privilege::Insert | Privilege::Update | Privilege::Delete);
        is_given
            || self.is_boundless
            || self.owned.contains(object)
            || (reads && self.reads_all)
            || (writes && self.writes_all)
    }

    /// The same of at least one column.
    pub fn has_any(&self, privilege: Privilege, object: &Object) -> bool {
        self.grants.contains_key(&(privilege, object)) || self.has(privilege, object, None)
    }

    /// Whether the account, or a role it is in, owns a thing.
    pub fn owns(&self, object: &Object) -> bool {
        self.owned.contains(object)
    }
}

/// Attributes of a role; none where there is no such role.
fn attributes(session: &mut Session, role: &str) -> Result<Option<Attributes>, AccessError> {
    let sql = "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = $1";
    let rows = session.rows(sql, &[&role], DOING)?;
    Ok(rows.first().map(|row| Attributes {
        superuser: row.get(0),
        createdb: row.get(1),
        createrole: row.get(2),
        replication: row.get(3),
        bypassrls: row.get(4),
    }))
}

/// Rights of everyone on the catalog that were not there when the server was installed (`pg_init_privs`).
const EVERYONES: &str = "SELECT 'EXECUTE ON FUNCTION ' || p.oid::regprocedure FROM pg_proc p \
        JOIN pg_init_privs i ON i.objoid = p.oid AND i.classoid = 'pg_proc'::regclass AND i.objsubid = 0 \
    WHERE p.pronamespace = 'pg_catalog'::regnamespace \
        AND EXISTS (SELECT 1 FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x WHERE x.grantee = 0) \
        AND NOT EXISTS (SELECT 1 FROM aclexplode(i.initprivs) x WHERE x.grantee = 0) \
    UNION ALL SELECT x.privilege_type || ' ON TABLE pg_catalog.' || quote_ident(c.relname) FROM pg_class c \
        CROSS JOIN LATERAL aclexplode(c.relacl) x LEFT JOIN pg_init_privs i ON i.objoid = c.oid AND i.classoid = 'pg_class'::regclass AND i.objsubid = 0 \
    WHERE c.relnamespace = 'pg_catalog'::regnamespace AND x.grantee = 0 \
        AND NOT EXISTS (SELECT 1 FROM aclexplode(i.initprivs) y WHERE y.grantee = 0 AND y.privilege_type = x.privilege_type) ORDER BY 1";

fn memberships(session: &mut Session, account: &str) -> Result<Vec<Membership>, AccessError> {
    let options = match session.version() >= 160_000 {
        true => "m.inherit_option, m.set_option",
        false => "x.rolinherit, true",
    };
    // A membership that neither gives rights nor lets anybody become the role leads nowhere.
    let reached = match session.version() >= 160_000 {
        true => "AND (m.inherit_option OR m.set_option)",
        false => "",
    };
    let sql = format!(
        "WITH RECURSIVE up(oid) AS (SELECT oid FROM pg_roles WHERE rolname = $1 \
            UNION SELECT m.roleid FROM pg_auth_members m JOIN up ON m.member = up.oid {reached}) \
         SELECT r.rolname::text, x.rolname::text, m.admin_option, {options}, g.rolname::text \
         FROM pg_auth_members m JOIN up ON m.member = up.oid JOIN pg_roles r ON r.oid = m.roleid \
         JOIN pg_roles x ON x.oid = m.member LEFT JOIN pg_roles g ON g.oid = m.grantor ORDER BY 1, 2, 6"
    );
    let rows = session.rows(&sql, &[&account], DOING)?;
    let membership = |row: &Row| Membership {
        role: row.get(0),
        member: row.get(1),
        is_admin: row.get(2),
        inherits: row.get(3),
        sets: row.get(4),
        grantor: row.get::<_, Option<String>>(5).unwrap_or_default(),
    };
    Ok(rows.iter().map(membership).collect())
}

/// Where rights stand: class; schema, name, arguments and column; the list; the owner; from where. Of functions of the
/// server's own only those are asked for that are not as they were delivered.
const LISTS: [[&str; 5]; 11] = [
    [
        "database",
        "NULL, datname::text, NULL, NULL",
        "coalesce(datacl, acldefault('d', datdba))",
        "datdba",
        "(SELECT * FROM pg_database WHERE datname = current_database()) d",
    ],
    [
        "schema",
        "NULL, nspname::text, NULL, NULL",
        "coalesce(nspacl, acldefault('n', nspowner))",
        "nspowner",
        "pg_namespace n",
    ],
    [
        "table",
        "n.nspname::text, c.relname::text, NULL, NULL",
        "coalesce(c.relacl, acldefault('r', c.relowner))",
        "c.relowner",
        "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
    ],
    [
        "table",
        "n.nspname::text, c.relname::text, NULL, a.attname::text",
        "a.attacl",
        "c.relowner",
        "pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND a.attacl IS NOT NULL AND NOT a.attisdropped JOIN pg_namespace n ON n.oid = c.relnamespace",
    ],
    [
        "sequence",
        "n.nspname::text, c.relname::text, NULL, NULL",
        "coalesce(c.relacl, acldefault('s', c.relowner))",
        "c.relowner",
        "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND c.relkind = 'S'",
    ],
    [
        "function",
        "n.nspname::text, p.proname::text, oidvectortypes(p.proargtypes), p.prokind::text",
        "coalesce(p.proacl, acldefault('f', p.proowner))",
        "p.proowner",
        "pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND (p.pronamespace >= 16384 OR n.nspname = 'public' OR p.proacl IS NOT NULL)",
    ],
    [
        "language",
        "NULL, lanname::text, NULL, NULL",
        "coalesce(lanacl, acldefault('l', lanowner))",
        "lanowner",
        "pg_language l",
    ],
    [
        "foreign_server",
        "NULL, srvname::text, NULL, NULL",
        "srvacl",
        "srvowner",
        "pg_foreign_server s",
    ],
    [
        "foreign_data_wrapper",
        "NULL, fdwname::text, NULL, NULL",
        "fdwacl",
        "fdwowner",
        "pg_foreign_data_wrapper w",
    ],
    ["tablespace", "NULL, spcname::text, NULL, NULL", "spcacl", "spcowner", "pg_tablespace t"],
    [
        "large_object",
        "NULL, oid::text, NULL, NULL",
        "lomacl",
        "lomowner",
        "pg_largeobject_metadata o",
    ],
];

/// One part of the query for rights.
fn acl([class, names, list, owner, from]: &[&str; 5]) -> String {
    format!(
        "SELECT '{class}', {names}, x.privilege_type, x.grantor, x.grantee, x.is_grantable, x.grantor = {owner} FROM {from} \
         CROSS JOIN LATERAL aclexplode({list}) x WHERE x.grantee <> {owner}"
    )
}

/// The query for rights of which something holds.
fn rights_sql(version: i32, holds: &str) -> String {
    let mut parts: Vec<String> = LISTS.iter().map(acl).collect();
    if version >= 150_000 {
        let parameters = "NULL, parname, NULL, NULL";
        parts.push(acl(&["parameter", parameters, "paracl", "10", "pg_parameter_acl p"]));
    }
    let sql = parts.join(" UNION ALL ");
    format!(
        "SELECT a.c1, a.c2, a.c3, a.c4, a.c5, a.c6, coalesce(g.rolname::text, a.c7::text), e.rolname::text, a.c9, a.c10 FROM ({sql}) \
         AS a(c1, c2, c3, c4, c5, c6, c7, c8, c9, c10) LEFT JOIN pg_roles g ON g.oid = a.c7 LEFT JOIN pg_roles e ON e.oid = a.c8 \
         WHERE {holds}"
    )
}

/// Rights of roles and of everyone, and those that somebody gave who does not own the thing.
fn grants(
    session: &mut Session,
    roles: &[String],
    giver: Option<&str>,
) -> Result<Vec<Grant>, AccessError> {
    let holds = "a.c8 = 0 OR e.rolname = ANY ($1) OR (g.rolname = $2 AND NOT a.c10)";
    let sql = rights_sql(session.version(), holds);
    let mut grants = Vec::new();
    for row in session.rows(&sql, &[&roles, &giver], DOING)? {
        grants.extend(grant(&row));
    }
    grants.sort();
    Ok(grants)
}

fn grant(row: &Row) -> Option<Grant> {
    let detail: Option<String> = row.get(4);
    let (class, column) = match row.get::<_, &str>(0) {
        "database" => (Class::Database, None),
        "schema" => (Class::Schema, None),
        "table" => (Class::Table, detail),
        "sequence" => (Class::Sequence, None),
        "function" if detail.as_deref() == Some("p") => (Class::Procedure, None),
        "function" => (Class::Function, None),
        "language" => (Class::Language, None),
        "foreign_server" => (Class::ForeignServer, None),
        "foreign_data_wrapper" => (Class::ForeignDataWrapper, None),
        "tablespace" => (Class::Tablespace, None),
        "large_object" => (Class::LargeObject, None),
        _ => (Class::Parameter, None),
    };
    let schema: Option<String> = row.get(1);
    let name: String = row.get(2);
    let grantee: Option<String> = row.get(7);
    let is_own =
        schema.as_deref().or((class == Class::Schema).then_some(&name)).is_some_and(is_system);
    // What everyone may see of the server's own catalog is how the server works.
    if is_own && grantee.is_none() || (class == Class::Language && grantee.is_none()) {
        return None;
    }
    Some(Grant {
        atom: Atom {
            object: Object { class, schema, name, arguments: row.get(3) },
            privilege: Privilege::of(row.get(5))?,
            column,
        },
        grantee,
        grantor: row.get::<_, Option<String>>(6).unwrap_or_default(),
        is_grantable: row.get(8),
        is_by_owner: row.get(9),
    })
}

fn owned(session: &mut Session, roles: &[String]) -> Result<Vec<(Object, String)>, AccessError> {
    let sql = "SELECT a.c1, a.c2, a.c3, a.c4, r.rolname::text FROM ( \
            SELECT 'table', n.nspname::text, c.relname::text, c.relkind::text, c.relowner FROM pg_class c \
                JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
            UNION ALL SELECT 'schema', NULL, nspname::text, '', nspowner FROM pg_namespace \
            UNION ALL SELECT 'database', NULL, datname::text, '', datdba FROM pg_database WHERE datname = current_database() \
            UNION ALL SELECT CASE prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, n.nspname::text, proname::text, \
                oidvectortypes(proargtypes), proowner FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace \
        ) AS a(c1, c2, c3, c4, owner) JOIN pg_roles r ON r.oid = a.owner WHERE r.rolname = ANY ($1) ORDER BY 1, 2, 3, 4";
    let rows = session.rows(sql, &[&roles], DOING)?;
    let object = |row: &Row| {
        let detail: String = row.get(3);
        let class = match row.get::<_, &str>(0) {
            "table" if detail == "S" => Class::Sequence,
            "table" => Class::Table,
            "schema" => Class::Schema,
            "database" => Class::Database,
            "procedure" => Class::Procedure,
            _ => Class::Function,
        };
        let arguments = matches!(class, Class::Function | Class::Procedure).then_some(detail);
        (Object { class, schema: row.get(1), name: row.get(2), arguments }, row.get(4))
    };
    Ok(rows
        .iter()
        .map(object)
        .filter(|(it, _)| !it.schema.as_deref().is_some_and(is_system))
        .collect())
}

fn defaults(session: &mut Session, roles: &[String]) -> Result<Vec<DefaultGrant>, AccessError> {
    let sql = "SELECT m.rolname::text, n.nspname::text, d.defaclobjtype::text, x.privilege_type, e.rolname::text, x.is_grantable \
        FROM pg_default_acl d JOIN pg_roles m ON m.oid = d.defaclrole LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace \
        CROSS JOIN LATERAL aclexplode(d.defaclacl) x LEFT JOIN pg_roles e ON e.oid = x.grantee \
        WHERE (x.grantee = 0 OR e.rolname = ANY ($1)) AND x.grantee <> d.defaclrole ORDER BY 1, 2, 3, 4, 5";
    let mut found = Vec::new();
    for row in session.rows(sql, &[&roles], DOING)? {
        let kind = match row.get::<_, &str>(2) {
            "r" => "TABLES",
            "S" => "SEQUENCES",
            "f" => "FUNCTIONS",
            "T" => "TYPES",
            _ => "SCHEMAS",
        };
        let Some(privilege) = Privilege::of(row.get(3)) else { continue };
        found.push(DefaultGrant {
            maker: row.get(0),
            schema: row.get(1),
            kind: kind.into(),
            privilege,
            grantee: row.get(4),
            is_grantable: row.get(5),
        });
    }
    Ok(found)
}

fn definers(session: &mut Session, roles: &[String]) -> Result<Vec<Definer>, AccessError> {
    let sql = "SELECT n.nspname::text, p.proname::text, oidvectortypes(p.proargtypes), p.prokind::text, o.rolname::text, \
            EXISTS (SELECT 1 FROM unnest(p.proconfig) c WHERE starts_with(c, 'search_path=') AND c NOT LIKE '%$user%'), bool_or(x.grantee = 0) \
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles o ON o.oid = p.proowner \
        CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x LEFT JOIN pg_roles e ON e.oid = x.grantee \
        WHERE p.prosecdef AND p.pronamespace <> 'pg_catalog'::regnamespace AND (x.grantee = 0 OR e.rolname = ANY ($1)) \
        GROUP BY 1, 2, 3, 4, 5, p.oid ORDER BY 1, 2, 3";
    let rows = session.rows(sql, &[&roles], DOING)?;
    let definer = |row: &Row| {
        let class = if row.get::<_, &str>(3) == "p" { Class::Procedure } else { Class::Function };
        let (schema, name): (String, String) = (row.get(0), row.get(1));
        Definer {
            object: Object { arguments: Some(row.get(2)), ..Object::within(class, schema, name) },
            owner: row.get(4),
            is_pinned: row.get(5),
            is_public: row.get(6),
        }
    };
    Ok(rows.iter().map(definer).collect())
}

fn tables(session: &mut Session) -> Result<BTreeMap<Object, TableFacts>, AccessError> {
    let sql = "SELECT n.nspname::text, c.relname::text, c.reltuples::float8, c.relrowsecurity, \
            c.relkind IN ('r', 'p'), pg_get_userbyid(c.relowner)::text, \
            (SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped), \
            (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) \
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
        AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')";
    let mut found = BTreeMap::new();
    for row in session.rows(sql, &[], DOING)? {
        let (schema, name): (String, String) = (row.get(0), row.get(1));
        let rows: f64 = row.get(2);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the server's estimate, not below zero"
        )]
        let rows = (rows >= 0.0).then_some(rows as u64);
        let computed: Option<Vec<String>> = row.get(6);
        let columns: Option<Vec<String>> = row.get(7);
        let facts = TableFacts {
            rows,
            columns: columns.unwrap_or_default(),
            has_policies: row.get(3),
            is_plain: row.get(4),
            computed: computed.unwrap_or_default(),
            owner: row.get(5),
        };
        found.insert(Object::within(Class::Table, schema, name), facts);
    }
    Ok(found)
}

/// Everything that is so of one role; of everyone where none is named.
pub(super) fn pieces_of(
    session: &mut Session,
    role: Option<&str>,
) -> Result<BTreeSet<Piece>, AccessError> {
    let roles: Vec<String> = role.map(str::to_string).into_iter().collect();
    let is_mine = |grantee: &Option<String>| grantee.as_deref() == role;
    let mut found: BTreeSet<Piece> = BTreeSet::new();
    let all = grants(session, &roles, None)?;
    found.extend(all.into_iter().filter(|it| is_mine(&it.grantee)).map(Piece::Grant));
    let all = defaults(session, &roles)?;
    found.extend(all.into_iter().filter(|it| is_mine(&it.grantee)).map(Piece::Default));
    let Some(role) = role else { return Ok(found) };
    let all = memberships(session, role)?;
    found.extend(all.into_iter().filter(|it| it.member == role).map(Piece::Membership));
    for (object, owner) in owned(session, &roles)? {
        found.insert(Piece::Owner { object, owner });
    }
    if let Some(attributes) = attributes(session, role)? {
        let set = attributes.set().into_iter();
        found.extend(set.map(|it| Piece::Attribute { role: role.into(), attribute: it.into() }));
    }
    Ok(found)
}
