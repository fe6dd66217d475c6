//! A clinic: everything of PostgreSQL that makes rights hard to tell, each in one statement, on a live server.
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

use polder_access::postgresql::{Learned, Rights, Session, act, learn, propose, prove};
use polder_access::{Atom, Columns, Necessity, Privilege, Sources};
use std::collections::BTreeSet;
use support::{Cluster, refused};

const SCHEMA: &str = r#"
CREATE ROLE clinic_owner NOLOGIN;
CREATE ROLE clinic_app LOGIN;
CREATE DATABASE clinic OWNER clinic_owner;
\connect clinic
CREATE EXTENSION pg_stat_statements;
CREATE SCHEMA ext; CREATE EXTENSION pgcrypto SCHEMA ext; GRANT USAGE ON SCHEMA ext TO PUBLIC;
SET ROLE clinic_owner;
CREATE SCHEMA med; CREATE SCHEMA "Odd ""Schema"; CREATE SCHEMA types;
CREATE TYPE types.mood AS ENUM ('sad', 'well');
SET search_path = med;
CREATE TABLE patients(id serial PRIMARY KEY, doctor text DEFAULT current_user, name text, diagnosis text, mood types.mood, born date);
CREATE FUNCTION may_see(d text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT d = current_user OR current_user = ''nurse''';
ALTER TABLE patients ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON patients TO clinic_app USING (may_see(doctor));
CREATE TABLE stock(item int PRIMARY KEY, amount int, note text);
CREATE TABLE rooms(id int PRIMARY KEY, label text);
CREATE TABLE wards() INHERITS (rooms);
CREATE TABLE visits(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, patient int REFERENCES patients, at timestamptz DEFAULT now(), cost numeric);
CREATE TABLE history(LIKE visits);
CREATE TABLE log(what text, at timestamptz DEFAULT now());
CREATE TABLE queue(id int, job text);
CREATE TABLE staging(item int, amount int);
CREATE TABLE "Odd ""Schema"."Ta,b'le
x"("Co l" int, "select" text);
CREATE TABLE hidden(secret text);
CREATE TABLE rules_to(a int);
CREATE TABLE rules_from(a int);
CREATE RULE r AS ON INSERT TO rules_from DO ALSO INSERT INTO rules_to VALUES (NEW.a);
CREATE TABLE checked(a int CHECK (a > 0), b int GENERATED ALWAYS AS (a * 2) STORED);
CREATE FUNCTION is_fine(a int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN a < 1000; END';
ALTER TABLE checked ADD CHECK (is_fine(a));
CREATE VIEW costs WITH (security_invoker = true) AS SELECT patient, cost FROM visits;
CREATE VIEW names AS SELECT id, name FROM patients;
CREATE VIEW entry AS SELECT item, amount FROM stock;
CREATE FUNCTION entry_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO med.staging(item, amount) VALUES (NEW.item, NEW.amount); RETURN NEW; END $$;
CREATE TRIGGER t INSTEAD OF INSERT ON entry FOR EACH ROW EXECUTE FUNCTION entry_insert();
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE n int; r record;
  BEGIN
    IF TG_OP = 'DELETE' THEN
      INSERT INTO med.history SELECT OLD.*;
      RETURN OLD;
    END IF;
    FOR r IN SELECT label FROM med.rooms WHERE id = NEW.patient LOOP
      UPDATE med.queue SET job = r.label WHERE id = NEW.id;
    END LOOP;
    RETURN NEW;
  END $$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON visits FOR EACH ROW EXECUTE FUNCTION keep();
CREATE TABLE counts(n bigint);
CREATE FUNCTION count_rows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO med.counts(n) SELECT count(*) FROM fresh WHERE what IS NOT NULL; RETURN NULL; END $$;
CREATE TRIGGER count_rows AFTER INSERT ON log REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION count_rows();
CREATE FUNCTION price(i int) RETURNS numeric LANGUAGE sql STABLE SET search_path = med AS 'SELECT amount * 2.5 FROM stock WHERE item = i';
CREATE FUNCTION outer_price(i int) RETURNS numeric LANGUAGE plpgsql AS $$
  DECLARE v med.stock.amount%TYPE; row med.rooms%ROWTYPE; BEGIN
    SELECT label INTO row.label FROM med.rooms WHERE id = i;
    v := (SELECT count(*) FROM med.queue WHERE id = i);
    RETURN med.price(i) + v; END $$;
CREATE PROCEDURE restock(i int, INOUT n int) LANGUAGE plpgsql AS $$ BEGIN
  UPDATE med.stock SET amount = amount + n WHERE item = i; n := 0; END $$;
CREATE MATERIALIZED VIEW totals AS SELECT patient, sum(cost) s FROM visits GROUP BY 1;
INSERT INTO stock VALUES (1, 5, ''), (2, 6, ''); INSERT INTO rooms VALUES (1, 'a'); INSERT INTO wards VALUES (2, 'b');
INSERT INTO patients(doctor, name, mood) VALUES ('clinic_app', 'x', 'well'), ('other', 'y', 'sad');
INSERT INTO visits(patient, cost) OVERRIDING SYSTEM VALUE VALUES (1, 10); INSERT INTO queue VALUES (1, 'j');
GRANT USAGE ON SCHEMA med, types, "Odd ""Schema" TO clinic_app;
GRANT ALL ON ALL TABLES IN SCHEMA med, "Odd ""Schema" TO clinic_app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA med TO clinic_app;
RESET ROLE;
ALTER ROLE clinic_app IN DATABASE clinic SET search_path = med;
"#;

/// One a line; literals are those of a day.
const WORKLOAD: &str = r#"
SELECT name, diagnosis FROM patients WHERE id = 1
SELECT id FROM names WHERE name LIKE 'x%'
INSERT INTO patients(name, mood) VALUES ('z', 'well'::types.mood)
SELECT mood FROM patients WHERE mood = ANY (ARRAY['sad', 'well']::types.mood[])
MERGE INTO stock s USING (VALUES (1, 5), (3, 7)) AS v(item, amount) ON s.item = v.item WHEN MATCHED THEN UPDATE SET amount = s.amount + v.amount WHEN NOT MATCHED THEN INSERT (item, amount) VALUES (v.item, v.amount)
CALL restock(1, 5)
SELECT label FROM rooms WHERE id > 0
INSERT INTO rules_from VALUES (1)
SELECT sum(cost) FROM costs WHERE patient = 1
INSERT INTO entry(item, amount) VALUES (7, 8)
UPDATE visits SET cost = cost * 2 WHERE id = 1
DELETE FROM visits WHERE cost > 1
SELECT outer_price(1)
SELECT s FROM totals
SELECT ext.crypt('password-4111111111111111', ext.gen_salt('md5'))
SELECT count(*) FROM visits WHERE at > now() - interval '1 day' AND extract(year FROM at) > 2000
SELECT date '2026-01-01' + 1, timestamp with time zone '2026-01-01 00:00' > now()
INSERT INTO checked(a) VALUES (5)
SELECT "Co l" FROM "Odd ""Schema"."Ta,b'le
x" WHERE "select" = 'q'
LOCK TABLE queue IN ROW EXCLUSIVE MODE
TRUNCATE staging
CREATE TEMP TABLE mine (a int, b text)
INSERT INTO mine SELECT id, job FROM queue
WITH gone AS (DELETE FROM queue WHERE id = 99 RETURNING id) INSERT INTO log(what) SELECT id::text FROM gone
DO $$ DECLARE n int; BEGIN SELECT count(*) INTO n FROM med.log WHERE what = 'x'; END $$
DECLARE c CURSOR FOR SELECT note FROM stock
SELECT p.name FROM patients p WHERE EXISTS (SELECT 1 FROM visits v WHERE v.patient = p.id) FOR UPDATE OF p
EXPLAIN SELECT born FROM patients
SET statement_timeout = '5s'
"#;

fn workload() -> Vec<String> {
    // A newline in a name goes on with the line.
    let text = WORKLOAD.replace("\nx\"", "\u{1}x\"");
    text.lines().filter(|it| !it.is_empty()).map(|it| it.replace('\u{1}', "\n")).collect()
}

/// The clinic, after a day.
fn clinic() -> Option<Cluster> {
    let cluster = Cluster::start()?;
    cluster.script(SCHEMA);
    let mut app = cluster.client("clinic", "clinic_app");
    app.batch_execute("BEGIN").unwrap();
    for statement in workload() {
        app.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    app.batch_execute("ROLLBACK").unwrap();
    Some(cluster)
}

fn learned(session: &mut Session) -> (Rights, Learned) {
    let rights = Rights::read(session, "clinic_app").unwrap();
    let learned = learn(session, &rights, &Sources::default()).unwrap();
    (rights, learned)
}

/// What no test of the server's can tell, since everybody may do it there anyway.
fn is_everyones(atom: &Atom) -> bool {
    matches!(atom.privilege, Privilege::Connect | Privilege::Temporary)
        || atom.privilege == Privilege::Execute
        || atom.object.name == "ext"
}

#[test]
fn the_least_rights_suffice_and_none_is_too_much() {
    let Some(cluster) = clinic() else { return };
    let mut session = cluster.session("clinic");
    let (rights, learned) = learned(&mut session);
    let unproved: Vec<_> = learned.unproved().collect();
    assert!(unproved.is_empty(), "{unproved:#?}");
    let proposal = propose(&rights, &learned, Columns::Always);
    let proof = prove(&mut session, &learned, &proposal).unwrap();
    assert!(proof.holds(), "{:#?}", proof.refused);
    assert_eq!(proof.count(Necessity::NotShown), 0, "{:#?}", proof.necessity);
    act(&mut session, &proposal.before, &proposal.after).unwrap();
    let workload = workload();
    assert_eq!(refused(&cluster, "clinic", "clinic_app", &workload), [""; 0]);
    let mut idle: BTreeSet<String> = BTreeSet::new();
    for atom in learned.atoms().iter().filter(|it| !is_everyones(it)) {
        session.batch(&format!("REVOKE {atom} FROM clinic_app"), "a right").unwrap();
        if refused(&cluster, "clinic", "clinic_app", &workload).is_empty() {
            idle.insert(atom.to_string());
        }
        session.batch(&format!("GRANT {atom} TO clinic_app"), "a right").unwrap();
    }
    assert!(idle.is_empty(), "not needed: {idle:#?}");
    // Functions that everyone may call are named all the same, so that nothing rests on everyone.
    for function in ["med.may_see", "med.is_fine", "med.price", "med.outer_price", "ext.crypt"] {
        let is_named =
            |it: &Atom| it.privilege == Privilege::Execute && it.object.sql().starts_with(function);
        assert!(learned.atoms().iter().any(is_named), "{function}");
    }
    assert!(!learned.atoms().iter().any(|it| it.object.name == "hidden"));
}
