//! Ways to a server, as users of libpq know them: passwords, TLS and how far it is believed, files.
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

use polder_access::postgresql::{Session, Target};
use polder_access::{AccessError, Ambient};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use support::Cluster;

const RULES: &str = "local all all trust
hostnossl all plain 127.0.0.1/32 password
hostssl all scram 127.0.0.1/32 scram-sha-256
hostssl all old 127.0.0.1/32 md5
hostssl all bound 127.0.0.1/32 cert
";

#[test]
fn passwords_and_certificates_are_asked_as_libpq_asks_them() {
    let Some(mut cluster) = Cluster::start() else { return };
    cluster.script(
        "SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'o:l\\d'; SET password_encryption = 'scram-sha-256'; \
         CREATE ROLE scram LOGIN PASSWORD 'geheim'; CREATE ROLE plain LOGIN PASSWORD 'klar'; CREATE ROLE bound LOGIN",
    );
    cluster.listen(RULES);
    let port = cluster.port();
    let home = cluster.folder().join("home");
    std::fs::create_dir(&home).unwrap();
    let root = cluster.folder().join("data/server.crt");
    let around = Ambient { home: Some(home.clone()), ..Ambient::default() };
    let connect = |said: String, around: &Ambient| {
        Target::parse(&said, around)
            .and_then(|it| Session::connect(&it))
            .map(|it| it.user().to_string())
    };
    let at = |rest: &str| format!("host=localhost port={port} dbname=postgres {rest}");
    assert_eq!(connect(at("user=scram password=geheim"), &around).unwrap(), "scram");
    assert_eq!(connect(at("user=plain password=klar sslmode=disable"), &around).unwrap(), "plain");
    let url = format!("postgresql://scram:geheim@localhost:{port}/postgres?sslmode=require");
    assert_eq!(connect(url, &around).unwrap(), "scram");
    // Who the server is is asked when it is to be.
    let trusted =
        format!("user=scram password=geheim sslmode=verify-full sslrootcert={}", root.display());
    assert_eq!(connect(at(&trusted), &around).unwrap(), "scram");
    let wrong_name = at(&trusted).replace("host=localhost", "host=127.0.0.1");
    assert!(matches!(connect(wrong_name.clone(), &around), Err(AccessError::Connect { .. })));
    let any_name = wrong_name.replace("verify-full", "verify-ca");
    assert_eq!(connect(any_name, &around).unwrap(), "scram");
    let unknown = at("user=scram password=geheim sslmode=verify-ca");
    assert!(matches!(connect(unknown, &around), Err(AccessError::Connect { .. })));
    // Without TLS there is no rule, and a wrong password is one.
    for said in [
        "user=scram password=geheim sslmode=disable",
        "user=scram password=x",
        "user=scram",
        "user=bound",
    ] {
        let error = connect(at(said), &around).unwrap_err();
        let text = format!("{error} {}", std::error::Error::source(&error).unwrap());
        assert!(!text.contains("geheim"), "{text}");
        let is_said = matches!(error, AccessError::Refused { .. } | AccessError::Connect { .. });
        assert!(is_said, "{said}: {text}");
    }
    // Files and variables.
    let pass = home.join(".pgpass");
    std::fs::write(&pass, format!("*:{port}:*:old:o\\:l\\\\d\n")).unwrap();
    std::fs::set_permissions(&pass, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(connect(at("user=old"), &around).unwrap(), "old");
    std::fs::set_permissions(&pass, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(connect(at("user=old"), &around).is_err(), "others may read it");
    let services = format!("[shop]\nhost=localhost\nport={port}\ndbname=postgres\nuser=scram\n");
    std::fs::write(home.join(".pg_service.conf"), services).unwrap();
    let variables = BTreeMap::from([("PGPASSWORD".to_string(), "geheim".to_string())]);
    let with_password = Ambient { variables, ..around.clone() };
    assert_eq!(connect("service=shop".into(), &with_password).unwrap(), "scram");
}
