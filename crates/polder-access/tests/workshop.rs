//! A workshop on MariaDB: views, routines, triggers, sequences, temporary tables, odd names. Each right that is proposed is
//! needed, and nothing else is: the live server says so.
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
    Learned, Place, Rights, Session, act, learn, observe, propose, prove,
};
use polder_access::{Columns, Necessity, Sources};
use std::collections::BTreeSet;
use support::maria::{Maria, refused};

const SCHEMA: &str = r#"
CREATE DATABASE workshop; CREATE DATABASE `o``dd`; CREATE DATABASE other;
USE workshop;
CREATE TABLE customers(id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40), email VARCHAR(40), card_number VARCHAR(20), seen DATETIME);
CREATE TABLE parts(id INT PRIMARY KEY, label VARCHAR(20), amount INT, note TEXT, doc LONGTEXT);
CREATE TABLE jobs(id INT PRIMARY KEY AUTO_INCREMENT, customer INT, state VARCHAR(10), price DECIMAL(10,2), FOREIGN KEY (customer) REFERENCES customers(id));
CREATE TABLE history(id INT, state VARCHAR(10), at TIMESTAMP DEFAULT NOW());
CREATE TABLE counts(name VARCHAR(20) PRIMARY KEY, n INT, last DATETIME);
CREATE TABLE secrets(id INT, password VARCHAR(20));
CREATE TABLE inner_log(what TEXT);
CREATE TABLE prices(part INT, price DECIMAL(10,2));
CREATE TABLE old_jobs(id INT, state VARCHAR(10));
CREATE TABLE staging(a INT);
CREATE TABLE locked(a INT, b INT);
CREATE TABLE made_by_app(a INT, b INT);
CREATE SEQUENCE numbers;
CREATE TABLE versioned(id INT PRIMARY KEY, x INT) WITH SYSTEM VERSIONING;
CREATE TABLE parted(id INT, y INT) PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE tree(id INT, parent INT, doc JSON, g INT GENERATED ALWAYS AS (parent + 1) VIRTUAL);
CREATE TABLE counted(id INT DEFAULT (NEXT VALUE FOR numbers), n INT);
CREATE TABLE `o``dd`.`ta'b"le x`(`co l` INT, `select` TEXT, PRIMARY KEY (`co l`));
CREATE TABLE other.parts(id INT, label VARCHAR(20));
CREATE VIEW names AS SELECT id, name FROM customers;
CREATE TABLE job_prices(job INT, price INT);
CREATE VIEW priced AS SELECT job, price FROM job_prices;
CREATE SQL SECURITY INVOKER VIEW open_jobs AS SELECT j.id, j.state, c.name FROM jobs j JOIN customers c ON c.id = j.customer;
CREATE SQL SECURITY INVOKER VIEW outer_jobs AS SELECT id FROM open_jobs WHERE state = 'open';
DELIMITER //
CREATE TRIGGER jobs_kept AFTER UPDATE ON jobs FOR EACH ROW BEGIN INSERT INTO history(id, state) VALUES (OLD.id, OLD.state); END//
CREATE FUNCTION price_of(p INT) RETURNS DECIMAL(10,2) DETERMINISTIC SQL SECURITY INVOKER BEGIN
  DECLARE v DECIMAL(10,2) DEFAULT 0; SELECT price INTO v FROM prices WHERE part = p LIMIT 1; RETURN v; END//
CREATE FUNCTION noted(x INT) RETURNS INT DETERMINISTIC BEGIN INSERT INTO inner_log VALUES ('ran'); RETURN x; END//
CREATE PROCEDURE close_job(j INT) SQL SECURITY INVOKER BEGIN
  DECLARE s VARCHAR(10); DECLARE done INT DEFAULT 0;
  DECLARE c CURSOR FOR SELECT state FROM jobs WHERE id = j;
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
  OPEN c; one: LOOP FETCH c INTO s; IF done THEN LEAVE one; END IF;
    INSERT INTO old_jobs(id, state) VALUES (j, s);
  END LOOP; CLOSE c;
  UPDATE jobs SET state = 'closed' WHERE id = j; END//
CREATE PROCEDURE report(m INT) SQL SECURITY INVOKER BEGIN
  CREATE TEMPORARY TABLE IF NOT EXISTS found (k INT, z VARCHAR(10)); INSERT INTO found SELECT id, 'x' FROM parts WHERE amount > m;
  SELECT COUNT(*) FROM found; DROP TEMPORARY TABLE found; END//
CREATE PROCEDURE safe_part(p INT) BEGIN UPDATE parts SET note = 'safe' WHERE id = p; INSERT INTO inner_log VALUES ('x'); END//
DELIMITER ;
INSERT INTO customers(name, email, card_number) VALUES ('a', 'a@x', '4111111111111111'), ('b', 'b@x', '1');
INSERT INTO parts VALUES (1, 'screw', 5, '', '{"a": 1}'), (2, 'nut', 6, '', '{}');
INSERT INTO jobs(customer, state, price) VALUES (1, 'open', 10), (2, 'open', 20);
INSERT INTO prices VALUES (1, 2.5);
INSERT INTO locked VALUES (1, 2);
INSERT INTO `o``dd`.`ta'b"le x` VALUES (1, 'q');
CREATE USER app@localhost;
GRANT ALL PRIVILEGES ON workshop.* TO app@localhost WITH GRANT OPTION;
GRANT ALL PRIVILEGES ON `o``dd`.`ta'b"le x` TO app@localhost;
GRANT SELECT, INSERT ON other.* TO app@localhost;
GRANT FILE, PROCESS ON *.* TO app@localhost;
CREATE ROLE clerk; GRANT DELETE ON other.* TO clerk; GRANT clerk TO app@localhost; SET DEFAULT ROLE clerk FOR app@localhost;
"#;

/// One unit a line: statements of one connection, one after the other.
const WORKLOAD: &str = r#"
SELECT name FROM customers WHERE id = 1
SELECT COUNT(*) FROM parts
SELECT * FROM prices
SELECT p.label, JSON_EXTRACT(p.doc, '$.a') FROM parts p WHERE p.amount > 3 ORDER BY 1 LIMIT 5
INSERT INTO counts(name, n) VALUES ('x', 1) ON DUPLICATE KEY UPDATE n = n + VALUES(n)
INSERT INTO history VALUES (9, 'x', NOW())
REPLACE INTO parts(id, label) VALUES (9, 'new')
UPDATE jobs SET state = 'done' WHERE price > 15
DELETE FROM history WHERE at < '2020-01-01'
SELECT NEXT VALUE FOR numbers
SELECT NEXTVAL(numbers), LASTVAL(numbers)
SELECT name FROM names WHERE id = 2
SELECT name FROM open_jobs WHERE state = 'open'
SELECT id FROM outer_jobs
SELECT price_of(1)
SELECT label, ROUND(amount, noted(1)) FROM parts WHERE id = noted(2)
CALL close_job(2)
CALL safe_part(1)
CREATE TEMPORARY TABLE mine (a INT, b VARCHAR(20)) ;; INSERT INTO mine SELECT id, label FROM parts ;; SELECT b FROM mine WHERE a = 1 ;; DROP TEMPORARY TABLE mine
CREATE TEMPORARY TABLE theirs AS SELECT id, amount FROM parts WHERE amount > 1 ;; UPDATE theirs SET amount = 2 ;; DROP TABLE theirs
LOCK TABLES locked WRITE ;; UPDATE locked SET b = 3 WHERE a = 1 ;; UNLOCK TABLES
TRUNCATE TABLE staging
SELECT `select` FROM `o``dd`.`ta'b"le x` WHERE `co l` = 1
INSERT INTO other.parts(id, label) SELECT id, label FROM workshop.parts
UPDATE customers c JOIN jobs j ON j.customer = c.id SET c.seen = NOW() WHERE j.price > 5
WITH big AS (SELECT customer, SUM(price) s FROM jobs GROUP BY customer) SELECT s FROM big
SELECT label FROM parts WHERE id IN (SELECT part FROM prices WHERE price > 1) FOR UPDATE
SET @n = (SELECT MAX(amount) FROM parts)
EXPLAIN SELECT email FROM customers
INSERT INTO jobs(customer, state) VALUES (1, 'open') RETURNING id
WITH RECURSIVE t AS (SELECT id, parent FROM tree WHERE parent IS NULL UNION ALL SELECT c.id, c.parent FROM tree c JOIN t ON c.parent = t.id) SELECT * FROM t
SELECT j.a FROM tree, JSON_TABLE(tree.doc, '$.a[*]' COLUMNS (a INT PATH '$')) j
SELECT g FROM tree
SELECT id, ROW_NUMBER() OVER (PARTITION BY customer ORDER BY price) n FROM jobs
SELECT x FROM versioned FOR SYSTEM_TIME ALL WHERE id = 1
SELECT y FROM parted PARTITION (p0)
INSERT INTO counted(n) VALUES (1)
INSERT INTO old_jobs(id) VALUES ((SELECT MAX(id) FROM jobs))
PREPARE q FROM 'SELECT last FROM counts WHERE name = ?' ;; SET @x = 'x' ;; EXECUTE q USING @x ;; DEALLOCATE PREPARE q
CALL report(1)
INSERT INTO counts(name, n) SELECT label, amount FROM parts WHERE id = 1 ON DUPLICATE KEY UPDATE last = NOW()
REPLACE INTO prices SELECT id, amount FROM parts WHERE id = 99
INSERT INTO history(id) SELECT job FROM priced WHERE price > 1
SELECT job FROM priced
"#;

fn workload() -> Vec<Vec<&'static str>> {
    let units = WORKLOAD.lines().filter(|it| !it.is_empty());
    units.map(|it| it.split(" ;; ").map(str::trim).collect()).collect()
}

/// The workshop, after a day.
fn workshop() -> Option<(Maria, mysql::Conn)> {
    let maria = Maria::start()?;
    maria.script(SCHEMA);
    // The server knows whose statements they were as long as the connection lasts.
    let mut app = maria.client("app", "workshop");
    for unit in workload() {
        app.query_drop("START TRANSACTION").unwrap();
        for statement in unit {
            app.query_drop(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        app.query_drop("ROLLBACK").unwrap();
    }
    Some((maria, app))
}

fn learned(session: &mut Session) -> (Rights, Learned) {
    let mut rights = Rights::read(session, "app").unwrap();
    let learned = learn(session, &mut rights, &Sources::default()).unwrap();
    (rights, learned)
}

#[test]
fn the_least_rights_suffice_and_none_is_too_much() {
    let Some((maria, _app)) = workshop() else { return };
    let mut session = maria.session("workshop");
    let (rights, learned) = learned(&mut session);
    let odd: Vec<_> = learned
        .statements
        .iter()
        .filter(|it| !it.unproved.is_empty() || it.refused.is_some())
        .collect();
    assert!(odd.is_empty(), "{odd:#?}");
    let grants = polder_access::mariadb::grants(&learned.rights());
    eprintln!("{}", grants.join("\n"));
    // Nothing was run: what the function writes is what the application's own calls wrote.
    let ran: Option<u64> =
        maria.client("root", "workshop").query_first("SELECT COUNT(*) FROM inner_log").unwrap();
    let before = ran.unwrap();
    let mut proposal = propose(&rights, &learned, Columns::Always);
    proposal.settle(&mut session).unwrap();
    let proof = prove(&mut session, &learned, &proposal).unwrap();
    assert!(proof.holds(), "{:#?}", proof.refused);
    assert_eq!(proof.count(Necessity::NotShown), 0, "{:#?}", proof.necessity);
    let ran: Option<u64> =
        maria.client("root", "workshop").query_first("SELECT COUNT(*) FROM inner_log").unwrap();
    assert_eq!(ran, Some(before));
    let all: BTreeSet<_> = proposal.before.union(&proposal.after).cloned().collect();
    act(&mut session, &proposal.before, &proposal.after).unwrap();
    let workload = workload();
    assert_eq!(refused(&maria, "workshop", "app", &workload), [""; 0]);
    let mut root = maria.client("root", "");
    let mut idle: BTreeSet<String> = BTreeSet::new();
    for right in learned.rights() {
        root.query_drop(format!("REVOKE {right} FROM app@localhost")).unwrap();
        if refused(&maria, "workshop", "app", &workload).is_empty() {
            idle.insert(right.to_string());
        }
        root.query_drop(format!("GRANT {right} TO app@localhost")).unwrap();
    }
    assert!(idle.is_empty(), "not needed: {idle:#?}");
    // The way back is exact.
    act(&mut session, &proposal.after, &proposal.before).unwrap();
    assert_eq!(observe(&mut session, &all).unwrap(), proposal.before);
    let again = Rights::read(&mut session, "app").unwrap();
    assert_eq!(again.held, rights.held);
    assert_eq!((again.roles, again.default_role), (rights.roles, rights.default_role));
    // And nobody was left behind.
    let left: Option<u64> =
        root.query_first("SELECT COUNT(*) FROM mysql.user WHERE User LIKE 'polder%'").unwrap();
    assert_eq!(left, Some(0));
    assert!(
        !learned
            .rights()
            .iter()
            .any(|it| matches!(&it.place, Place::Table(_, name) if name == "secrets"))
    );
}
