//! What goes wrong, and who wants it to: a clear word, nothing half done, and no code of others is run.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and looks at the machine it runs on"
)]

mod support;

use polder_access::postgresql::{Learned, Rights, Session, act, excess, learn, propose, prove};
use polder_access::{AccessError, Columns, Privilege, Sources};
use support::{Cluster, refused};

fn learned(session: &mut Session, account: &str) -> (Rights, Learned) {
    let rights = Rights::read(session, account).unwrap();
    let learned = learn(session, &rights, &Sources::default()).unwrap();
    (rights, learned)
}

/// A server with one database, and the extension in it.
fn with(schema: &str) -> Option<Cluster> {
    let cluster = Cluster::start()?;
    let text =
        format!("CREATE DATABASE d;\n\\connect d\nCREATE EXTENSION pg_stat_statements;\n{schema}");
    cluster.script(&text);
    // What was made above was made as other roles, too.
    cluster.client("d", "postgres").batch_execute("SELECT pg_stat_statements_reset()").unwrap();
    Some(cluster)
}

#[test]
fn what_cannot_be_told_is_said_and_keeps_its_rights() {
    let schema = "
CREATE ROLE app LOGIN; CREATE ROLE own NOLOGIN; CREATE SCHEMA s AUTHORIZATION own; SET ROLE own;
CREATE TABLE s.known(a int, secret text); CREATE TABLE s.named(a int); CREATE TABLE s.other(a int);
CREATE FUNCTION s.dynamic(t text) RETURNS int LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN
  EXECUTE 'SELECT count(*) FROM s.named WHERE a > ' || length(t) INTO n; RETURN n; END $$;
CREATE FUNCTION s.blind(t text) RETURNS int LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN
  EXECUTE format('SELECT count(*) FROM %I.%I', 's', t) INTO n; RETURN n; END $$;
CREATE SEQUENCE s.numbers;
GRANT USAGE ON SCHEMA s TO app; GRANT ALL ON ALL TABLES IN SCHEMA s TO app; GRANT ALL ON ALL SEQUENCES IN SCHEMA s TO app;
RESET ROLE";
    let Some(cluster) = with(schema) else { return };
    let workload: Vec<String> =
        ["SELECT a FROM s.known", "SELECT s.dynamic('x')", "SELECT nextval('s.numbers')"]
            .map(str::to_string)
            .to_vec();
    assert_eq!(refused(&cluster, "d", "app", &workload), [""; 0]);
    let mut session = cluster.session("d");
    let (rights, found) = learned(&mut session, "app");
    let why: Vec<String> = found.unproved().flat_map(|it| it.unproved.clone()).collect();
    assert_eq!(why.len(), 2, "{why:?}");
    assert!(
        why.iter().any(|it| it.contains("s.dynamic(text)") && it.contains("makes SQL")),
        "{why:?}"
    );
    let proposal = propose(&rights, &found, Columns::Always);
    assert!(prove(&mut session, &found, &proposal).unwrap().holds());
    act(&mut session, &proposal.before, &proposal.after).unwrap();
    assert_eq!(refused(&cluster, "d", "app", &workload), [""; 0]);
    let others =
        ["SELECT secret FROM s.known", "SELECT a FROM s.other", "INSERT INTO s.named VALUES (1)"];
    assert_eq!(refused(&cluster, "d", "app", &others.map(str::to_string)).len(), 3);
    act(&mut session, &proposal.after, &proposal.before).unwrap();

    // Where not even a name stands, everything is kept.
    let blind = vec!["SELECT s.blind('other')".to_string()];
    assert_eq!(refused(&cluster, "d", "app", &blind), [""; 0]);
    let (rights, found) = learned(&mut session, "app");
    let proposal = propose(&rights, &found, Columns::Always);
    act(&mut session, &proposal.before, &proposal.after).unwrap();
    assert_eq!(refused(&cluster, "d", "app", &blind), [""; 0]);
    act(&mut session, &proposal.after, &proposal.before).unwrap();

    // Text that is no SQL is said to be none, and takes nothing else with it.
    let text = "SELEC 1; SELECT a FROM s.known WHERE 'never closed";
    let sources = Sources { text: text.into(), only_text: true, ..Sources::default() };
    let found = learn(&mut session, &rights, &sources).unwrap();
    assert_eq!(found.statements.len(), 2);
    assert_eq!(found.unproved().count(), 1);
    assert!(found.needed.iter().any(|it| it.atom.object.name == "known"));
}

#[test]
fn code_of_others_is_never_run() {
    // The account makes functions that count how often they are run, which no rollback takes back, and would become
    // superuser if they were run by one.
    let schema = "
CREATE ROLE app LOGIN; CREATE SCHEMA s AUTHORIZATION app; SET ROLE app;
CREATE SEQUENCE s.runs; CREATE TABLE s.t(a int, b text);
CREATE FUNCTION s.evil(a int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
  PERFORM nextval('s.runs'); PERFORM set_config('role', 'postgres', false); RETURN 1; END $$;
CREATE FUNCTION s.evil_stable() RETURNS int LANGUAGE sql STABLE AS $$ SELECT nextval('s.runs')::int $$;
CREATE FUNCTION s.array_agg(text) RETURNS text[] LANGUAGE sql AS $$ SELECT ARRAY[nextval('s.runs')::text] $$;
CREATE FUNCTION s.format_type(oid, int) RETURNS text LANGUAGE sql AS $$ SELECT nextval('s.runs')::text $$;
CREATE FUNCTION s.equal(oid, oid) RETURNS boolean LANGUAGE sql AS $$ SELECT nextval('s.runs') > 0 $$;
CREATE OPERATOR s.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = s.equal);
CREATE VIEW s.v AS SELECT a, s.evil(2) AS e FROM s.t WHERE a = s.evil(3);
CREATE FUNCTION s.on_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM s.evil(1); RETURN NEW; END $$;
CREATE TRIGGER t BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.on_write();
CREATE FUNCTION s.close(a int, b int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('s.runs'); RETURN true; END $$;
CREATE OPERATOR s.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = s.close, RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE TABLE s.many(a int); INSERT INTO s.many SELECT 7 FROM generate_series(1, 500); INSERT INTO s.many SELECT 8 FROM generate_series(1, 500);
CREATE TABLE s.parent(a int) PARTITION BY LIST (a);
RESET ROLE; ANALYZE s.many;
CREATE FUNCTION public.of_superuser(a int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN evil(a); END $$;
ALTER ROLE app SET search_path = s, pg_catalog";
    let Some(cluster) = with(schema) else { return };
    let text = "SELECT a FROM t WHERE a = s.evil(5); SELECT a FROM v; SELECT b FROM t WHERE a < s.evil_stable(); \
        INSERT INTO t(a) VALUES (1); SELECT a FROM many WHERE a OPERATOR(s.===) 7; \
        SELECT p.a FROM many p JOIN many q ON p.a OPERATOR(s.===) q.a; SELECT public.of_superuser(3); \
        CREATE TEMP TABLE kid PARTITION OF s.parent FOR VALUES IN (s.evil(1)); CREATE TEMP TABLE y (a int DEFAULT s.evil(2), CHECK (s.evil(3) = 1)); DO $$ BEGIN PERFORM s.evil(4); END $$; CREATE TEMP TABLE x AS SELECT s.evil(6)";
    let mut session = cluster.session("d");
    let rights = Rights::read(&mut session, "app").unwrap();
    let sources = Sources { text: text.into(), only_text: true, ..Sources::default() };
    let found = learn(&mut session, &rights, &sources).unwrap();
    let proposal = propose(&rights, &found, Columns::Always);
    let proof = prove(&mut session, &found, &proposal).unwrap();
    assert!(proof.passed >= 4, "{proof:#?}");
    let runs = "SELECT is_called FROM s.runs";
    let mut client = cluster.client("d", "postgres");
    let is_run: bool = client.query_one(runs, &[]).unwrap().get(0);
    assert!(!is_run, "code of the account was run by a superuser");
    let volatile = "SELECT provolatile::text FROM pg_proc WHERE proname = 'evil'";
    assert_eq!(client.query_one(volatile, &[]).unwrap().get::<_, String>(0), "i");
}

#[test]
fn text_of_others_is_never_sql() {
    // Each of these would count, if what stands where a type, a path or a name is meant were taken for SQL.
    let schema = "
CREATE ROLE app LOGIN; CREATE SCHEMA s AUTHORIZATION app; SET ROLE app; CREATE SEQUENCE s.runs; CREATE TABLE s.t(a int);
SELECT set_config('search_path', 's;SELECT/**/nextval(''s.runs'');--', false);
CREATE FUNCTION s.from_current() RETURNS int LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN PERFORM a FROM s.t; RETURN 1; END $$;
RESET search_path;
CREATE FUNCTION s.typed() RETURNS int LANGUAGE plpgsql AS $$ DECLARE v int; BEGIN PERFORM a FROM s.t WHERE a = v; RETURN 1; END $$;
RESET ROLE; ALTER ROLE app SET search_path = s";
    let Some(cluster) = with(schema) else { return };
    let attack = "int) RETURNS void LANGUAGE sql AS 'select 1'; SELECT nextval('s.runs'); CREATE FUNCTION pg_temp.g(a int";
    let texts = [
        "SELECT s.from_current()".to_string(),
        format!(
            "DO $$ DECLARE c CURSOR (b {attack}) FOR SELECT a + b FROM s.t; BEGIN NULL; END $$"
        ),
        format!("DO $$ DECLARE v {attack}; BEGIN PERFORM a FROM s.t WHERE a = v; END $$"),
        format!("CREATE TEMP TABLE x (a {attack})"),
        "SELECT 1; SELECT nextval('s.runs')".to_string(),
        "PREPARE p AS SELECT 1); SELECT nextval('s.runs'); SELECT (1".to_string(),
        "EXPLAIN ANALYZE SELECT nextval('s.runs')".to_string(),
        "SET search_path = s; SELECT nextval('s.runs')".to_string(),
        "LOCK TABLE s.t; SELECT nextval('s.runs')".to_string(),
    ];
    let mut session = cluster.session("d");
    for text in &texts {
        let rights = Rights::read(&mut session, "app").unwrap();
        let sources = Sources { text: text.clone(), only_text: true, ..Sources::default() };
        let found = learn(&mut session, &rights, &sources).unwrap();
        let proposal = propose(&rights, &found, Columns::Always);
        let _ = prove(&mut session, &found, &proposal);
        let runs = "SELECT is_called FROM s.runs";
        let is_run: bool = cluster.client("d", "postgres").query_one(runs, &[]).unwrap().get(0);
        assert!(!is_run, "{text}");
    }
    // Nor is anything of it shown.
    let text = "DO $$ BEGIN PERFORM date 'hunter2secret'; 'topsecret4111' foo; END $$";
    let rights = Rights::read(&mut session, "app").unwrap();
    let sources = Sources { text: text.into(), only_text: true, ..Sources::default() };
    let found = learn(&mut session, &rights, &sources).unwrap();
    let shown = format!(
        "{:?}",
        found.statements.iter().map(|it| (&it.text, &it.unproved)).collect::<Vec<_>>()
    );
    assert!(!shown.contains("hunter2") && !shown.contains("topsecret"), "{shown}");
}

#[test]
fn an_owner_gives_up_what_it_owns_and_gets_it_back() {
    let schema = "
CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE third NOLOGIN; CREATE TABLE plain(a int); GRANT ALL ON plain TO app WITH GRANT OPTION;
GRANT USAGE, CREATE ON SCHEMA public TO app; SET ROLE app; CREATE TABLE mine(id serial, a int, secret text); GRANT SELECT ON plain TO other;
GRANT SELECT ON mine TO PUBLIC; GRANT SELECT ON mine TO other; RESET ROLE;
CREATE TYPE mood AS ENUM ('well'); CREATE FUNCTION feel(m mood) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE SCHEMA ops; GRANT USAGE ON SCHEMA ops TO app;
CREATE FUNCTION ops.near(text, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
CREATE OPERATOR ops.~~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = ops.near);
CREATE COLLATION ops.plain FROM \"C\"; CREATE TEXT SEARCH CONFIGURATION ops.cfg (COPY = simple);
CREATE SEQUENCE counter; GRANT ALL ON SEQUENCE counter TO app; ALTER ROLE app SET search_path = public, ops";
    let Some(cluster) = with(schema) else { return };
    let workload: Vec<String> = [
        "INSERT INTO mine(a) VALUES (1)",
        "SELECT a FROM mine",
        "SELECT a FROM plain",
        "SELECT feel('well')",
        "SELECT secret FROM mine WHERE secret ~~~ 'x'",
        "SELECT a FROM mine ORDER BY secret COLLATE plain",
        "SELECT to_tsvector('cfg', secret) FROM mine",
        "SELECT setval('counter', 5)",
        "SELECT last_value FROM counter",
    ]
    .map(str::to_string)
    .to_vec();
    assert_eq!(refused(&cluster, "d", "app", &workload), [""; 0]);
    let mut session = cluster.session("d");
    let (rights, found) = learned(&mut session, "app");
    // Releases are made by the account itself, and remembered: what it owns stays its own until somebody says otherwise.
    let text = "CREATE TABLE later(a int)";
    let sources = Sources { text: text.into(), ..Sources::default() };
    let with_release = learn(&mut session, &rights, &sources).unwrap();
    let stays = propose(&rights, &with_release, Columns::Always);
    assert!(stays.left.iter().any(|it| it.contains("owns")), "{:?}", stays.left);
    let sources = Sources { no_migrations: true, ..sources };
    let without = learn(&mut session, &rights, &sources).unwrap();
    assert_eq!(
        propose(&rights, &without, Columns::Always).forward(150_000),
        propose(&rights, &found, Columns::Always).forward(150_000)
    );
    let all = "SELECT string_agg(relname || relowner::regrole || ARRAY(SELECT unnest(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r'::\"char\" END, relowner)))::text ORDER BY 1)::text, ' ' ORDER BY relname) \
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')";
    let mut client = cluster.client("d", "postgres");
    let before: String = client.query_one(all, &[]).unwrap().get(0);
    for columns in [Columns::Sensitive, Columns::Always, Columns::Never] {
        let mut proposal = propose(&rights, &found, columns);
        proposal.settle(&mut session).unwrap();
        let proof = prove(&mut session, &found, &proposal).unwrap();
        assert!(proof.holds(), "{:#?}", proof.refused);
        act(&mut session, &proposal.before, &proposal.after).unwrap();
        assert_eq!(refused(&cluster, "d", "app", &workload), [""; 0]);
        let gone = ["DROP TABLE mine", "ALTER TABLE mine ADD b int", "DELETE FROM mine"];
        assert_eq!(refused(&cluster, "d", "app", &gone.map(str::to_string)).len(), 3);
        let reads = ["SELECT a FROM mine", "SELECT a FROM plain"].map(str::to_string);
        assert_eq!(refused(&cluster, "d", "other", &reads), [""; 0]);
        act(&mut session, &proposal.after, &proposal.before).unwrap();
        let after: String = client.query_one(all, &[]).unwrap().get(0);
        assert_eq!(after, before);
    }
}

#[test]
fn what_holds_for_the_whole_server_is_not_changed_for_one_database() {
    let schema = "
CREATE ROLE pool NOLOGIN; CREATE ROLE app LOGIN CREATEDB IN ROLE pool; CREATE TABLE here(a int); GRANT SELECT ON here TO app;
CREATE TABLE cards(card_number text); GRANT SELECT ON cards TO app; CREATE ROLE root_app LOGIN SUPERUSER;
CREATE DATABASE w1;
\\connect w1
CREATE TABLE there(a int); GRANT SELECT ON there TO pool";
    let Some(cluster) = with(schema) else { return };
    cluster.client("d", "app").batch_execute("SELECT a FROM here").unwrap();
    cluster.client("w1", "app").batch_execute("SELECT a FROM there").unwrap();
    cluster.client("d", "root_app").batch_execute("SELECT a FROM here").unwrap();
    cluster.client("w1", "root_app").batch_execute("SELECT a FROM there").unwrap();
    let mut session = cluster.session("d");
    let (rights, found) = learned(&mut session, "app");
    assert_eq!(found.elsewhere, ["w1"]);
    let proposal = propose(&rights, &found, Columns::Always);
    assert!(proposal.left.iter().any(|it| it.contains("w1")), "{:?}", proposal.left);
    // What is said of afterwards is what will be: its own rights are the least ones, and a superuser stays one.
    assert!(proposal.reach_before.sensitive.iter().any(|it| it.2 == "card"));
    assert!(proposal.reach_after.sensitive.is_empty(), "{:?}", proposal.reach_after);
    let root = Rights::read(&mut session, "root_app").unwrap();
    let root_found = learn(&mut session, &root, &Sources::default()).unwrap();
    assert!(propose(&root, &root_found, Columns::Always).reach_after.is_boundless);
    act(&mut session, &proposal.before, &proposal.after).unwrap();
    assert_eq!(refused(&cluster, "w1", "app", &["SELECT a FROM there".to_string()]), [""; 0]);
}

#[test]
fn what_is_filled_in_and_what_is_closed_is_seen() {
    let schema = "
CREATE ROLE app LOGIN; CREATE SCHEMA s; CREATE TABLE s.t(a int, b text); CREATE SEQUENCE s.numbers;
CREATE FUNCTION s.fresh() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE FUNCTION s.filled(a int, b int DEFAULT s.fresh(), c bigint DEFAULT nextval('s.numbers')) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA s FROM PUBLIC; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA s TO app;
GRANT USAGE ON SCHEMA s TO app; GRANT ALL ON ALL TABLES IN SCHEMA s TO app; GRANT ALL ON ALL SEQUENCES IN SCHEMA s TO app";
    let Some(cluster) = with(schema) else { return };
    let workload: Vec<String> =
        ["SELECT s.filled(1)", "SELECT a INTO TEMP q FROM s.t", "SELECT a FROM q"]
            .map(str::to_string)
            .to_vec();
    assert_eq!(refused(&cluster, "d", "app", &workload), [""; 0]);
    let mut session = cluster.session("d");
    let (rights, found) = learned(&mut session, "app");
    assert_eq!(found.unproved().count(), 0, "{:?}", found.statements);
    let proposal = propose(&rights, &found, Columns::Always);
    assert!(prove(&mut session, &found, &proposal).unwrap().holds());
    act(&mut session, &proposal.before, &proposal.after).unwrap();
    assert_eq!(refused(&cluster, "d", "app", &workload), [""; 0]);
    // With the schema closed, what a statement needs can still be told.
    session.batch("REVOKE USAGE ON SCHEMA s FROM app", "a right").unwrap();
    let rights = Rights::read(&mut session, "app").unwrap();
    let sources =
        Sources { text: "SELECT b FROM s.t".into(), only_text: true, ..Sources::default() };
    let found = learn(&mut session, &rights, &sources).unwrap();
    let all: Vec<String> = found.atoms().iter().map(ToString::to_string).collect();
    assert!(all.contains(&"USAGE ON SCHEMA s".to_string()), "{all:?}");
    assert!(all.contains(&"SELECT (b) ON TABLE s.t".to_string()), "{all:?}");
}

#[test]
fn a_trace_of_misuse_is_no_excuse() {
    let schema = "
CREATE ROLE app LOGIN IN ROLE pg_execute_server_program, pg_read_all_data; CREATE TABLE t(a int); GRANT SELECT ON t TO app;
GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO PUBLIC; GRANT SELECT ON pg_authid TO PUBLIC";
    let Some(cluster) = with(schema) else { return };
    let mut app = cluster.client("d", "app");
    for statement in [
        "SELECT a FROM t",
        "COPY t TO PROGRAM 'cat > /dev/null'",
        "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'",
    ] {
        app.batch_execute(statement).unwrap();
    }
    let mut session = cluster.session("d");
    let (rights, found) = learned(&mut session, "app");
    let excess: Vec<String> = excess(&rights, Some(&found)).into_iter().map(|it| it.what).collect();
    for what in ["pg_execute_server_program", "pg_read_all_data", "pg_ls_dir", "pg_authid"] {
        assert!(excess.iter().any(|it| it.contains(what)), "{what} in {excess:?}");
    }
    let proposal = propose(&rights, &found, Columns::Always);
    assert!(proposal.reach_after.host.is_empty(), "{:?}", proposal.reach_after);
    assert!(proposal.left.iter().any(|it| it.contains("pg_execute_server_program")));
}

#[test]
fn names_hold_whatever_they_like() {
    let schema = "
CREATE ROLE \"we'b \"\"x\ny\" LOGIN; CREATE SCHEMA \"Sch;ema\"; CREATE TABLE \"Sch;ema\".\"ta'ble\"(\"co,l\" int, \"größe\" text, \"a.b\" text);
GRANT USAGE ON SCHEMA \"Sch;ema\" TO \"we'b \"\"x\ny\"; GRANT ALL ON ALL TABLES IN SCHEMA \"Sch;ema\" TO \"we'b \"\"x\ny\"";
    let Some(cluster) = with(schema) else { return };
    let account = "we'b \"x\ny";
    let mut session = cluster.session("d");
    let rights = Rights::read(&mut session, account).unwrap();
    let text = "SELECT \"co,l\" FROM \"Sch;ema\".\"ta'ble\" WHERE \"größe\" = 'x'; UPDATE \"Sch;ema\".\"ta'ble\" SET \"a.b\" = 'q'";
    let sources = Sources { text: text.into(), only_text: true, ..Sources::default() };
    let found = learn(&mut session, &rights, &sources).unwrap();
    assert_eq!(found.unproved().count(), 0, "{:?}", found.statements);
    let proposal = propose(&rights, &found, Columns::Always);
    assert!(prove(&mut session, &found, &proposal).unwrap().holds());
    act(&mut session, &proposal.before, &proposal.after).unwrap();
    let later = Rights::read(&mut session, account).unwrap();
    assert!(propose(&later, &found, Columns::Always).is_done());
    act(&mut session, &proposal.after, &proposal.before).unwrap();
    assert_eq!(Rights::read(&mut session, account).unwrap().grants, rights.grants);
}

#[test]
fn a_server_that_goes_away_and_rights_that_change_leave_nothing_half_done() {
    let schema = "
CREATE ROLE app LOGIN; CREATE TABLE a(x int); CREATE TABLE b(x int); GRANT ALL ON a, b TO app; GRANT CREATE ON DATABASE d TO app";
    let Some(cluster) = with(schema) else { return };
    cluster.client("d", "app").batch_execute("SELECT x FROM a").unwrap();
    let mut session = cluster.session("d");
    let (rights, found) = learned(&mut session, "app");
    let proposal = propose(&rights, &found, Columns::Always);
    // Somebody else takes one of the rights first.
    let mut other = cluster.client("d", "postgres");
    other.batch_execute("REVOKE TRIGGER ON b FROM app").unwrap();
    let error = act(&mut session, &proposal.before, &proposal.after).unwrap_err();
    assert!(matches!(&error, AccessError::Changed { what } if what.contains("TRIGGER")), "{error}");
    let now = Rights::read(&mut session, "app").unwrap();
    assert!(now.held().has(
        Privilege::Delete,
        &now.grants.iter().find(|it| it.atom.object.name == "b").unwrap().atom.object.clone(),
        None
    ));
    // Somebody holds a lock on a right, and does not let go: it is not waited for without end.
    let (rights, found) = learned(&mut session, "app");
    let proposal = propose(&rights, &found, Columns::Always);
    other.batch_execute("BEGIN; GRANT REFERENCES ON a TO PUBLIC").unwrap();
    assert!(act(&mut session, &proposal.before, &proposal.after).is_err());
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(Rights::read(&mut session, "app").unwrap().grants, rights.grants);
    // The connection is ended in the middle of it.
    session.batch("BEGIN; REVOKE ALL ON public.a FROM app", "a test").unwrap();
    other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'polder'", &[]).unwrap();
    let error = learn(&mut session, &rights, &Sources::default()).unwrap_err();
    assert!(matches!(error, AccessError::Gone { .. }), "{error}");
    let mut session = cluster.session("d");
    assert_eq!(Rights::read(&mut session, "app").unwrap().grants, rights.grants);
    // The role is dropped meanwhile.
    other.batch_execute("DROP OWNED BY app; DROP ROLE app").unwrap();
    let answer = learn(&mut session, &rights, &Sources::default());
    assert!(answer.is_ok_and(|it| !it.is_as_account));
    assert!(prove(&mut session, &found, &proposal).is_err());
    let error = Rights::read(&mut session, "app").unwrap_err();
    assert!(matches!(error, AccessError::NoAccount { .. }), "{error}");
}
