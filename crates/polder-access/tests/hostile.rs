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

use polder_access::postgresql::{
    Columns, Learned, Rights, Session, Sources, act, learn, propose, prove,
};
use polder_access::{AccessError, Privilege};
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
    let sources = Sources { text: text.into(), only_text: true };
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
RESET ROLE; ALTER ROLE app SET search_path = s, pg_catalog";
    let Some(cluster) = with(schema) else { return };
    let text = "SELECT a FROM t WHERE a = s.evil(5); SELECT a FROM v; SELECT b FROM t WHERE a < s.evil_stable(); \
        INSERT INTO t(a) VALUES (1); DO $$ BEGIN PERFORM s.evil(4); END $$; CREATE TEMP TABLE x AS SELECT s.evil(6)";
    let mut session = cluster.session("d");
    let rights = Rights::read(&mut session, "app").unwrap();
    let sources = Sources { text: text.into(), only_text: true };
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
fn names_hold_whatever_they_like() {
    let schema = "
CREATE ROLE \"we'b \"\"x\ny\" LOGIN; CREATE SCHEMA \"Sch;ema\"; CREATE TABLE \"Sch;ema\".\"ta'ble\"(\"co,l\" int, \"größe\" text, \"a.b\" text);
GRANT USAGE ON SCHEMA \"Sch;ema\" TO \"we'b \"\"x\ny\"; GRANT ALL ON ALL TABLES IN SCHEMA \"Sch;ema\" TO \"we'b \"\"x\ny\"";
    let Some(cluster) = with(schema) else { return };
    let account = "we'b \"x\ny";
    let mut session = cluster.session("d");
    let rights = Rights::read(&mut session, account).unwrap();
    let text = "SELECT \"co,l\" FROM \"Sch;ema\".\"ta'ble\" WHERE \"größe\" = 'x'; UPDATE \"Sch;ema\".\"ta'ble\" SET \"a.b\" = 'q'";
    let sources = Sources { text: text.into(), only_text: true };
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
