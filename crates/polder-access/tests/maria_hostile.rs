//! What goes wrong, and what means harm, on MariaDB: nothing is run, nothing is left half done, nobody is broken.
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

use mysql::prelude::Queryable;
use polder_access::mariadb::{
    Learned, Piece, Refusals, Rights, Session, act, is_of, judge, learn, moves, observe, propose,
    prove, reach,
};
use polder_access::{AccessError, Columns, Necessity, Sources};
use std::collections::BTreeSet;
use support::maria::{Maria, refused};

/// Learns, proves and applies; answers what was learned.
fn bound(session: &mut Session, account: &str, sources: &Sources) -> (Learned, BTreeSet<Piece>) {
    let mut rights = Rights::read(session, account).unwrap();
    let learned = learn(session, &mut rights, sources).unwrap();
    let mut proposal = propose(&rights, &learned, Columns::Always);
    proposal.settle(session).unwrap();
    let proof = prove(session, &learned, &proposal).unwrap();
    assert!(proof.holds(), "{:#?}", proof.refused);
    act(session, &proposal.before, &proposal.after).unwrap();
    (learned, proposal.before)
}

fn text(statements: &[&str]) -> Sources {
    Sources { text: statements.join(";\n"), only_text: true, ..Sources::default() }
}

fn count(maria: &Maria, sql: &str) -> u64 {
    maria.client("root", "").query_first::<u64, _>(sql).unwrap().unwrap()
}

#[test]
fn what_others_call_in_its_name_goes_on_working() {
    let Some(maria) = Maria::start() else { return };
    maria.script(
        "CREATE DATABASE d; USE d; CREATE TABLE a(id INT, x INT, y INT); CREATE TABLE b(id INT, n INT); CREATE TABLE c(n INT);
         INSERT INTO a VALUES (1, 2, 3); INSERT INTO c VALUES (1);
         CREATE USER maker@localhost; CREATE USER other@localhost; GRANT ALL ON d.* TO maker@localhost;
         CREATE DEFINER = maker@localhost VIEW seen AS SELECT id, x FROM a;
         DELIMITER //
         CREATE DEFINER = maker@localhost TRIGGER t BEFORE INSERT ON b FOR EACH ROW BEGIN
           SET NEW.n = NEW.id + (SELECT MAX(y) FROM a); INSERT INTO c(n) VALUES (NEW.n); END//
         CREATE DEFINER = maker@localhost PROCEDURE p(i INT) BEGIN UPDATE a SET y = i WHERE id = 1; END//
         CREATE DEFINER = maker@localhost FUNCTION f() RETURNS INT BEGIN RETURN (SELECT COUNT(n) FROM c); END//
         DELIMITER ;
         GRANT SELECT ON d.seen TO other@localhost; GRANT INSERT ON d.b TO other@localhost;
         GRANT EXECUTE ON PROCEDURE d.p TO other@localhost; GRANT EXECUTE ON FUNCTION d.f TO other@localhost",
    );
    let workload = [
        vec!["SELECT x FROM seen"],
        vec!["INSERT INTO b(id) VALUES (5)"],
        vec!["CALL p(4)"],
        vec!["SELECT f()"],
    ];
    assert_eq!(refused(&maria, "d", "other", &workload), [""; 0]);
    let mut session = maria.session("d");
    let (learned, _) = bound(&mut session, "maker", &text(&["SELECT id FROM a"]));
    // Others may write through the view, so its maker keeps the rights to.
    let odd: Vec<_> =
        learned.unproved().filter(|it| !it.unproved[0].starts_with("others")).collect();
    assert!(odd.is_empty(), "{odd:#?}");
    assert!(learned.needed.iter().any(|it| it.right.to_string() == "UPDATE ON `d`.`a`"));
    assert_eq!(refused(&maria, "d", "other", &workload), [""; 0]);
    let mut root = maria.client("root", "");
    // Without what is kept for that each other right is missed.
    let (kept, needed): (Vec<_>, Vec<_>) =
        learned.needed.iter().partition(|it| it.necessity == Necessity::Kept);
    for it in kept {
        root.query_drop(format!("REVOKE {} FROM maker@localhost", it.right)).unwrap();
    }
    for it in &needed {
        if it.right.column.is_some() {
            root.query_drop(format!("GRANT {} TO maker@localhost", it.right)).unwrap();
        }
    }
    let rights: BTreeSet<_> = needed.iter().map(|it| it.right.clone()).collect();
    for right in rights.iter().filter(|it| it.to_string() != "SELECT (`id`) ON `d`.`a`") {
        root.query_drop(format!("REVOKE {right} FROM maker@localhost")).unwrap();
        assert!(!refused(&maria, "d", "other", &workload).is_empty(), "not needed: {right}");
        root.query_drop(format!("GRANT {right} TO maker@localhost")).unwrap();
    }
}

#[test]
fn rights_by_roles_by_columns_and_from_everyone() {
    let Some(maria) = Maria::start() else { return };
    maria.script(
        "CREATE DATABASE d; USE d; CREATE TABLE a(id INT, x INT, y INT); CREATE TABLE b(id INT, n INT); CREATE TABLE c(n INT);
         CREATE ROLE low; CREATE ROLE high; CREATE ROLE extra; GRANT SELECT ON d.a TO low; GRANT low TO high;
         GRANT INSERT, DELETE ON d.b TO high; GRANT UPDATE ON d.b TO extra;
         CREATE USER app@localhost; GRANT high TO app@localhost; GRANT extra TO app@localhost; SET DEFAULT ROLE high FOR app@localhost;
         GRANT SELECT (id), UPDATE (n) ON d.b TO app@localhost; GRANT SELECT ON d.c TO PUBLIC",
    );
    let statements = [
        "SELECT x FROM a WHERE y = 1",
        "INSERT INTO b(id) SELECT id FROM a",
        "UPDATE b SET n = 1 WHERE id = 2",
        "SELECT n FROM c",
    ];
    let workload: Vec<Vec<&str>> = statements.iter().map(|it| vec![*it]).collect();
    assert_eq!(refused(&maria, "d", "app", &workload), [""; 0]);
    let mut session = maria.session("d");
    let all: Vec<String> = maria.client("root", "").query("SHOW GRANTS FOR app@localhost").unwrap();
    let mut rights = Rights::read(&mut session, "app").unwrap();
    let learned = learn(&mut session, &mut rights, &text(&statements)).unwrap();
    let mut proposal = propose(&rights, &learned, Columns::Sensitive);
    proposal.settle(&mut session).unwrap();
    assert!(prove(&mut session, &learned, &proposal).unwrap().holds());
    act(&mut session, &proposal.before, &proposal.after).unwrap();
    assert_eq!(refused(&maria, "d", "app", &workload), [""; 0]);
    let now: Vec<String> = maria.client("root", "").query("SHOW GRANTS FOR app@localhost").unwrap();
    assert!(!now.iter().any(|it| it.contains("DELETE") || it.contains("high")), "{now:#?}");
    act(&mut session, &proposal.after, &proposal.before).unwrap();
    let mut again: Vec<String> =
        maria.client("root", "").query("SHOW GRANTS FOR app@localhost").unwrap();
    let mut all = all;
    all.sort();
    again.sort();
    assert_eq!(again, all);
}

#[test]
fn nothing_is_run_whatever_a_statement_says() {
    let Some(maria) = Maria::start() else { return };
    maria.script(
        "CREATE DATABASE d; USE d; CREATE TABLE a(id INT, x TEXT); CREATE TABLE ran(n INT); INSERT INTO a VALUES (1, 'q');
         DELIMITER //
         CREATE FUNCTION f(n INT) RETURNS INT DETERMINISTIC BEGIN INSERT INTO d.ran VALUES (n); RETURN n; END//
         CREATE FUNCTION g() RETURNS INT DETERMINISTIC BEGIN INSERT INTO d.ran VALUES (0); RETURN 1; END//
         CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW BEGIN INSERT INTO ran VALUES (9); END//
         DELIMITER ;
         CREATE VIEW v AS SELECT id, REPEAT(x, f(1)) r, ROUND(id, g()) s FROM a;
         CREATE VIEW w AS SELECT REPEAT(x, f(id)) r FROM a;
         CREATE USER app@localhost; GRANT ALL ON d.* TO app@localhost",
    );
    let statements = [
        "SELECT REPEAT(x, f(2)), ROUND(id, g()), SUBSTR(x, d.f (3)), SUBSTR(x, `f`(3)), SUBSTR(x, `d`.`g`()) FROM a WHERE id = f(4) LIMIT 3",
        "SELECT /*!50000 REPEAT(x, f(5)) */ FROM a",
        "SELECT r, s FROM v",
        "SELECT r FROM w WHERE r = 1",
        "INSERT INTO a(x) SELECT r FROM w",
        "INSERT INTO a(id) SELECT s FROM v",
        "INSERT INTO a(id, x) VALUES (f(6), REPEAT('x', g()))",
        "UPDATE a SET id = ROUND(id, f(7))",
        "INSERT INTO a(id) SELECT ROUND(id, f(8)) FROM a WHERE f(9) = 9",
        "CREATE TEMPORARY TABLE tt AS SELECT ROUND(id, f(10)) n, g() m FROM a",
        "CALL nobody(f(11))",
        "SET @a = ROUND(1, f(12))",
        "DO f(13)",
        "SELECT SLEEP(20), BENCHMARK(1000000000, MD5('x'))",
        "EXPLAIN SELECT ROUND(id, f(14)) FROM a",
        "DROP TABLE ran",
        "SELECT 1 INTO OUTFILE '/tmp/polder_never'",
        "\nDELIMITER //\nBEGIN NOT ATOMIC DECLARE n INT DEFAULT f(15); SELECT f(16) INTO n; END//",
    ];
    let mut session = maria.session("d");
    // To make a view the server runs what it takes for constant, too.
    maria.script("DELETE FROM d.ran");
    let mut rights = Rights::read(&mut session, "app").unwrap();
    let learned = learn(&mut session, &mut rights, &text(&statements)).unwrap();
    let proposal = propose(&rights, &learned, Columns::Always);
    prove(&mut session, &learned, &proposal).unwrap();
    let ran: Vec<u64> = maria.client("root", "").query("SELECT n FROM d.ran").unwrap();
    assert_eq!(ran, [0u64; 0]);
    assert_eq!(count(&maria, "SELECT COUNT(*) FROM d.a"), 1);
    let told: Vec<&str> = learned.unproved().map(|it| it.text.as_str()).collect();
    // What the server might run while it prepares or plans is not tried.
    assert!(told.contains(&"SELECT r, s FROM v") && told.contains(&"DROP TABLE ran"), "{told:#?}");
    assert!(told.contains(&"INSERT INTO a(x) SELECT r FROM w") && told.len() <= 7, "{told:#?}");
}

#[test]
fn sql_made_when_it_runs_keeps_rights_and_long_texts_are_said_to_be_cut() {
    let Some(maria) = Maria::start() else { return };
    maria.script(
        "CREATE DATABASE d; USE d; CREATE TABLE a(id INT, x INT); CREATE TABLE b(id INT);
         DELIMITER //
         CREATE PROCEDURE p(t VARCHAR(20)) SQL SECURITY INVOKER BEGIN
           EXECUTE IMMEDIATE CONCAT('DELETE FROM ', t, ' WHERE id = 99'); END//
         DELIMITER ;
         CREATE USER app@localhost; GRANT ALL ON d.* TO app@localhost",
    );
    let mut app = maria.client("app", "d");
    app.query_drop("CALL p('a')").unwrap();
    app.query_drop("CALL p('b')").unwrap();
    app.query_drop(format!("SELECT x FROM a WHERE id IN ({})", vec!["1"; 2000].join(", ")))
        .unwrap();
    let mut session = maria.session("d");
    let (learned, _) = bound(&mut session, "app", &Sources::default());
    let why: BTreeSet<String> = learned.unproved().flat_map(|it| it.unproved.clone()).collect();
    assert!(
        why.iter().any(|it| it.contains("put together"))
            && why.iter().any(|it| it.contains("beginning")),
        "{why:#?}"
    );
    let workload = [vec!["CALL p('a')"], vec!["CALL p('b')"], vec!["SELECT x FROM a"]];
    assert_eq!(refused(&maria, "d", "app", &workload), [""; 0]);
}

#[test]
fn nothing_is_left_half_done() {
    let Some(mut maria) = Maria::start_with(&["--log-bin=bin", "--server-id=1"]) else { return };
    maria.script(
        "CREATE DATABASE d; USE d; CREATE TABLE a(id INT, x INT); CREATE TABLE b(id INT);
         CREATE USER app@localhost; GRANT ALL ON d.* TO app@localhost;
         CREATE USER polder_probe_00000001@localhost; GRANT SELECT ON d.* TO polder_probe_00000001@localhost",
    );
    let mut session = maria.session("d");
    let mut rights = Rights::read(&mut session, "app").unwrap();
    let learned = learn(&mut session, &mut rights, &text(&["SELECT x FROM a"])).unwrap();
    // Whoever was left behind by a process that was killed is gone, and no replica hears of whoever was made.
    assert_eq!(count(&maria, "SELECT COUNT(*) FROM mysql.user WHERE User LIKE 'polder%'"), 0);
    let events: Vec<mysql::Row> = maria.client("root", "").query("SHOW BINLOG EVENTS").unwrap();
    let told = |word: &str| {
        events.iter().any(|row| row.get::<String, _>("Info").is_some_and(|it| it.contains(word)))
    };
    assert!(told("CREATE USER app") && !told("IDENTIFIED BY") && !told("DROP USER"));
    let mut proposal = propose(&rights, &learned, Columns::Always);
    proposal.settle(&mut session).unwrap();
    // Somebody else changes rights meanwhile.
    maria.script("REVOKE DROP ON d.* FROM app@localhost");
    let error = act(&mut session, &proposal.before, &proposal.after).unwrap_err();
    assert!(matches!(error, AccessError::Changed { .. }), "{error}");
    maria.script("GRANT DROP ON d.* TO app@localhost; DROP TABLE d.a");
    // A table is gone: the step fails, and what was done before it is taken back.
    let before = observe(&mut session, &proposal.before).unwrap();
    let error = act(&mut session, &proposal.before, &proposal.after).unwrap_err();
    assert!(matches!(error, AccessError::Query { .. }), "{error}");
    assert_eq!(observe(&mut session, &proposal.before).unwrap(), before);
    assert!(moves(&proposal.before, &proposal.before).is_empty());
    maria.kill();
    let error = Rights::read(&mut session, "app").unwrap_err();
    assert!(matches!(error, AccessError::Gone { .. }), "{error}");
}

#[test]
fn ansi_quotes_and_other_databases() {
    let Some(maria) = Maria::start_with(&["--sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES"]) else {
        return;
    };
    maria.script(
        "CREATE DATABASE d; CREATE DATABASE e_x; CREATE DATABASE eyx; CREATE TABLE d.a(id INT, \"or der\" INT, z INT);
         CREATE TABLE e_x.a(id INT, n INT); CREATE TABLE eyx.a(id INT, n INT); INSERT INTO d.a VALUES (1, 1, 1);
         CREATE USER app@localhost; GRANT ALL ON d.* TO app@localhost; GRANT ALL ON e_x.* TO app@localhost",
    );
    let statements = [
        "SELECT \"or der\" FROM \"a\" WHERE id = 'x\\'",
        "SELECT n FROM e_x.a",
        "UPDATE d.a JOIN e_x.a b USING (id) SET d.a.z = b.n",
    ];
    let workload: Vec<Vec<&str>> = statements.iter().map(|it| vec![*it]).collect();
    assert_eq!(refused(&maria, "d", "app", &workload), [""; 0]);
    let mut session = maria.session("d");
    let (learned, before) = bound(&mut session, "app", &text(&statements));
    let odd: Vec<_> = learned.statements.iter().filter(|it| !it.unproved.is_empty()).collect();
    assert!(odd.is_empty(), "{odd:#?}");
    assert_eq!(refused(&maria, "d", "app", &workload), [""; 0]);
    // A pattern of a database was one: `e_x` was `eyx` as well, and is taken.
    assert!(!before.is_empty());
    assert!(!refused(&maria, "d", "app", &[vec!["SELECT n FROM eyx.a"]]).is_empty());
}

/// Functions and views that whoever owns a database makes to be run by somebody else.
const TRAP: &str = "
CREATE DATABASE m; USE m; CREATE TABLE t(a INT, b VARCHAR(20)); CREATE TABLE ran(who VARCHAR(80)); CREATE TABLE older(email INT) ENGINE = MyISAM; INSERT INTO t VALUES (1, 'q');
DELIMITER //
CREATE FUNCTION f(x INT) RETURNS INT DETERMINISTIC SQL SECURITY INVOKER BEGIN
  DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; INSERT INTO m.ran VALUES (CURRENT_USER()); RETURN x; END//
DELIMITER ;
CREATE SQL SECURITY INVOKER VIEW v AS SELECT SUBSTR(b, f(1)) c, a FROM t;
CREATE SQL SECURITY INVOKER VIEW 1v AS SELECT SUBSTR(b, f(2)) c, a FROM t;
CREATE SQL SECURITY INVOKER VIEW `€v` AS SELECT a FROM v;
CREATE VIEW d AS SELECT SUBSTR(b, f(4)) c FROM t;
CREATE USER app@localhost; GRANT ALL ON m.* TO app@localhost;
";

#[test]
fn nobody_has_an_administrator_run_anything() {
    let Some(maria) = Maria::start() else { return };
    maria.script(TRAP);
    maria.script("DELETE FROM m.ran");
    let mut session = maria.session("m");
    let mut rights = Rights::read(&mut session, "app").unwrap();
    assert_eq!(rights.tables[&("m".to_string(), "v".to_string())].columns, ["c", "a"]);
    // What cannot be looked at without opening it is said not to be known.
    let told = reach(&rights).data.join(" ");
    assert!(told.starts_with("reads 1 tables") && told.contains("is not seen"), "{told}");
    let statements = [
        "SELECT c FROM v FOR UPDATE",
        "SELECT c FROM 1v FOR UPDATE",
        "SELECT a FROM €v",
        "INSERT INTO t(b) SELECT c FROM 1v",
        "SELECT EXTRACT(YEAR FROM f(1)), fé(1) FROM t FOR UPDATE",
        "SELECT \"c\" FROM \"d\"",
        "INSERT INTO \"t\"(\"b\") VALUES (SUBSTR('x', f(3)))",
        "SELECT a FROM t",
    ];
    let learned = learn(&mut session, &mut rights, &text(&statements)).unwrap();
    let mut proposal = propose(&rights, &learned, Columns::Always);
    proposal.settle(&mut session).unwrap();
    prove(&mut session, &learned, &proposal).unwrap();
    act(&mut session, &proposal.before, &proposal.after).unwrap();
    act(&mut session, &proposal.after, &proposal.before).unwrap();
    let ran: Vec<String> = maria.client("root", "").query("SELECT who FROM m.ran").unwrap();
    assert_eq!(ran, [""; 0]);
}

#[test]
fn rights_are_those_that_the_server_finds() {
    let Some(maria) = Maria::start() else { return };
    maria.script(
        "CREATE DATABASE secret; CREATE TABLE secret.k(k INT); CREATE DATABASE my_db; CREATE TABLE my_db.t(a INT);
         CREATE USER app@localhost; GRANT ALL ON `%`.* TO app@localhost; GRANT CREATE ON secret.* TO app@localhost;
         CREATE USER web@localhost; GRANT ALL ON my_db.* TO web@localhost;
         CREATE USER two@localhost; CREATE USER two@'%'; GRANT SELECT ON my_db.t TO two@'%'; CREATE USER free@'10.%'; CREATE USER free@localhost",
    );
    let mut session = maria.session("my_db");
    // Of two patterns the server takes the more exact one, and that gives no SELECT.
    let mut rights = Rights::read(&mut session, "app").unwrap();
    let table = ("secret".to_string(), "k".to_string());
    assert!(!rights.has("SELECT", &table) && rights.has("SELECT", &("my_db".into(), "t".into())));
    let statements =
        ["SELECT k FROM secret.k", "SELECT a /*!999999 , (SELECT k FROM secret.k) */ FROM my_db.t"];
    let learned = learn(&mut session, &mut rights, &text(&statements)).unwrap();
    assert!(
        !learned.rights().iter().any(|it| it.to_string().contains("secret")),
        "{:?}",
        learned.rights()
    );
    // What is left of rights on a database stays with its pattern: another one would hide it.
    let migrates =
        ["CREATE TEMPORARY TABLE x (a INT)", "ALTER TABLE t ADD b INT", "SELECT a FROM t"];
    bound(&mut session, "web", &text(&migrates));
    let workload = [
        vec!["CREATE TEMPORARY TABLE x (a INT)"],
        vec!["ALTER TABLE t ADD b INT"],
        vec!["SELECT a FROM t"],
    ];
    assert_eq!(refused(&maria, "my_db", "web", &workload), [""; 0]);
    // What one of a name has, sessions of the other have, where hosts fit.
    let shared = Rights::read(&mut session, "two@localhost").unwrap();
    assert!(shared.has("SELECT", &("my_db".into(), "t".into())) && shared.overlapping.len() == 1);
    assert!(Rights::read(&mut session, "free@localhost").unwrap().overlapping.is_empty());
}

/// The server remembers a statement a moment after it answered.
fn next(refusals: &mut Refusals, session: &mut Session) -> Vec<polder_access::RefusedStatement> {
    for _ in 0..100 {
        let found = refusals.next(session).unwrap();
        if !found.is_empty() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Vec::new()
}

#[test]
fn a_refusal_that_somebody_makes_up_is_nobodys() {
    let Some(maria) = Maria::start() else { return };
    maria.script(
        "CREATE DATABASE d; CREATE TABLE d.news(id INT, body TEXT); CREATE USER app@localhost; CREATE USER guest@localhost;
         CREATE USER app@'%'; GRANT SELECT ON d.news TO guest@localhost",
    );
    let mut session = maria.session("d");
    let mut refusals = Refusals::default();
    assert!(refusals.next(&mut session).unwrap().is_empty());
    let forged = "BEGIN NOT ATOMIC SIGNAL SQLSTATE '42000' SET MYSQL_ERRNO = 1142, \
        MESSAGE_TEXT = 'UPDATE command denied to user ''app''@''localhost'' for table x'; UPDATE d.news SET body = 'x'; END";
    let mut guest = maria.client("guest", "d");
    assert!(guest.query_drop(forged).is_err());
    let found = next(&mut refusals, &mut session);
    assert_eq!(found.len(), 1);
    // As long as it is connected the server says who it is, and then whose it was is not known.
    assert_eq!(is_of(&mut session, "app@localhost", &found[0]).unwrap(), Some(false));
    assert!(guest.query_drop(forged).is_err());
    drop(guest);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let found = next(&mut refusals, &mut session);
    assert_eq!(is_of(&mut session, "app@localhost", &found[0]).unwrap(), None);
    // A more exact account of the same name is another one.
    let mut app = maria.client("app", "");
    assert!(app.query_drop("SELECT * FROM d.news").is_err());
    let found = next(&mut refusals, &mut session);
    assert_eq!(is_of(&mut session, "app@localhost", &found[0]).unwrap(), Some(true));
    assert_eq!(is_of(&mut session, "app@%", &found[0]).unwrap(), Some(false));
    // The server's own tables are given back by nobody but a person.
    let account = Rights::read(&mut session, "app@localhost").unwrap().account;
    let right = polder_access::mariadb::Right::on("SELECT", polder_access::mariadb::Place::Server);
    let taken = BTreeSet::from([Piece::Right { whose: account, right }]);
    let refused = polder_access::RefusedStatement {
        statement: "SELECT Host FROM mysql.global_priv".into(),
        ..found[0].clone()
    };
    let verdict = judge(&mut session, "app@localhost", &taken, &refused).unwrap();
    assert!(verdict.gives.is_empty(), "{verdict:#?}");
    let verdict = judge(&mut session, "app@localhost", &taken, &found[0]).unwrap();
    assert_eq!(verdict.gives.len(), 2, "{verdict:#?}");
}

#[test]
fn what_a_server_looks_at_late_is_asked_for() {
    let Some(maria) = Maria::start() else { return };
    maria.script(
        "CREATE DATABASE d; CREATE DATABASE e; USE d; CREATE TABLE t(id INT, a INT, b INT); CREATE TABLE u(id INT, x INT, y INT);
         CREATE TABLE Mixed(Id INT, UserName INT); CREATE SEQUENCE sq; CREATE TABLE c(n INT DEFAULT (NEXTVAL(sq)), m INT);
         CREATE TABLE e.t(id INT); CREATE TABLE gone(a INT); INSERT INTO u VALUES (1, 1, 1); INSERT INTO t VALUES (1, 1, 1);
         CREATE SQL SECURITY INVOKER VIEW vi AS SELECT id, a FROM t;
         CREATE PROCEDURE GetAll() SELECT 1; CREATE FUNCTION Fn() RETURNS INT RETURN 1;
         CREATE USER app@localhost; GRANT ALL ON d.* TO app@localhost; GRANT ALL ON e.* TO app@localhost;
         GRANT SELECT ON d.gone TO app@localhost; DROP TABLE gone; GRANT SELECT (y), SELECT ON d.u TO app@localhost",
    );
    let statements = [
        "UPDATE t JOIN u ON t.id = u.id SET t.a = t.b + u.x",
        "DELETE FROM t WHERE id = 1 ORDER BY b LIMIT 1",
        "CALL GetAll()",
        "SELECT FN()",
        "UPDATE Mixed SET username = 1 WHERE id = 1",
        "INSERT INTO c(m) VALUES (1)",
        "CREATE TEMPORARY TABLE q AS (SELECT id FROM t) UNION SELECT id FROM u",
        "SELECT \"id\" FROM \"u\"",
        "UPDATE vi SET a = 1 WHERE id = 1",
        "SHOW COLUMNS FROM t",
        "CHECKSUM TABLE u",
        "SHOW EVENTS",
        "USE e; SELECT e.t.id FROM t",
        "CALL nobody()",
    ];
    let workload: Vec<Vec<&str>> = statements.iter().map(|it| it.split("; ").collect()).collect();
    assert_eq!(refused(&maria, "d", "app", &workload), [""; 0]);
    let mut session = maria.session("d");
    let before: Vec<String> =
        maria.client("root", "").query("SHOW GRANTS FOR app@localhost").unwrap();
    let mut rights = Rights::read(&mut session, "app").unwrap();
    let learned = learn(&mut session, &mut rights, &text(&statements)).unwrap();
    let mut proposal = propose(&rights, &learned, Columns::Always);
    proposal.settle(&mut session).unwrap();
    assert!(prove(&mut session, &learned, &proposal).unwrap().holds());
    act(&mut session, &proposal.before, &proposal.after).unwrap();
    let all = proposal.before.union(&proposal.after).cloned().collect();
    assert_eq!(observe(&mut session, &all).unwrap(), proposal.after);
    assert_eq!(refused(&maria, "d", "app", &workload), [""; 0]);
    // All columns are shown still.
    let shown: Vec<mysql::Row> = maria.client("app", "d").query("SHOW COLUMNS FROM t").unwrap();
    assert_eq!(shown.len(), 3);
    act(&mut session, &proposal.after, &proposal.before).unwrap();
    let (mut before, mut again): (Vec<String>, Vec<String>) =
        (before, maria.client("root", "").query("SHOW GRANTS FOR app@localhost").unwrap());
    before.sort();
    again.sort();
    assert_eq!(again, before);
}

#[test]
fn prepared_statements_without_a_text_are_said() {
    let Some(maria) = Maria::start() else { return };
    maria.script("CREATE DATABASE d; CREATE TABLE d.t(a INT); CREATE USER app@localhost; GRANT ALL ON d.* TO app@localhost");
    let mut app = maria.client("app", "d");
    app.query_drop("SELECT a FROM t").unwrap();
    app.exec_drop("INSERT INTO t VALUES (?)", (1,)).unwrap();
    let mut session = maria.session("d");
    let mut rights = Rights::read(&mut session, "app").unwrap();
    let learned = learn(&mut session, &mut rights, &Sources::default()).unwrap();
    let is_seen = learned.rights().iter().any(|it| it.privilege == "INSERT");
    assert!(is_seen || learned.untold > 0);
}
