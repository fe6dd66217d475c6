//! Connections to MariaDB as its users say them: passwords, option files, TLS.
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
use polder_access::mariadb::{Session, Target};
use polder_access::{AccessError, Ambient};
use std::process::{Command, Stdio};
use support::maria::Maria;

fn openssl(folder: &std::path::Path, arguments: &[&str]) {
    let made = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success(), "{arguments:?}");
}

/// An authority, and a certificate of it for `localhost`.
fn certificates(folder: &std::path::Path) {
    let authority = |name: &str| {
        let (key, crt) = (format!("{name}.key"), format!("{name}.crt"));
        openssl(
            folder,
            &[
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-keyout",
                &key,
                "-out",
                &crt,
                "-subj",
                &format!("/CN={name}"),
                "-addext",
                "basicConstraints=critical,CA:TRUE",
            ],
        );
    };
    authority("ca");
    authority("other");
    openssl(
        folder,
        &[
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "server.key",
            "-out",
            "server.csr",
            "-subj",
            "/CN=localhost",
        ],
    );
    std::fs::write(folder.join("ext"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        folder,
        &[
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "ext",
            "-out",
            "server.crt",
        ],
    );
}

fn connect(said: &str) -> Result<Session, AccessError> {
    Session::connect(&Target::parse(said, &Ambient::default())?)
}

#[test]
fn passwords_option_files_and_certificates() {
    if !std::path::Path::new("/usr/bin/openssl").exists() {
        return support::skipped("`openssl` is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    certificates(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (certificate, key, ca, other) =
        (path("server.crt"), path("server.key"), path("ca.crt"), path("other.crt"));
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let Some(maria) = Maria::start_with(&[
        "--skip-networking=0",
        "--bind-address=127.0.0.1",
        &format!("--port={port}"),
        &format!("--ssl-cert={certificate}"),
        &format!("--ssl-key={key}"),
    ]) else {
        return;
    };
    maria.client("root", "").query_drop("CREATE USER ada@'%' IDENTIFIED BY 'p w'").unwrap();
    maria
        .client("root", "")
        .query_drop("CREATE USER safe@'%' IDENTIFIED BY 'pw' REQUIRE SSL")
        .unwrap();
    let at = |user: &str, rest: &str| format!("mariadb://{user}@127.0.0.1:{port}{rest}");
    let is_refused = |said: &str| matches!(connect(said), Err(AccessError::Refused { .. }));
    assert!(connect(&at("ada:p%20w", "")).is_ok());
    assert!(
        is_refused(&at("ada:no", ""))
            && is_refused(&at("ada", ""))
            && is_refused(&at("nobody", ""))
    );
    // Whoever must use TLS does, as far as it is asked for.
    assert!(connect(&at("safe:pw", "")).is_ok());
    assert!(is_refused(&at("safe:pw", "?ssl-mode=disabled")));
    let mut session = connect(&at("safe:pw", "?ssl-mode=required")).unwrap();
    let cipher = session.rows("SHOW STATUS LIKE 'Ssl_cipher'", &[], "TLS").unwrap();
    assert!(!cipher[0].get::<String, _>(1).unwrap().is_empty());
    let with =
        |mode: &str, ca: &str| connect(&at("ada:p%20w", &format!("?ssl-mode={mode}&ssl-ca={ca}")));
    assert!(with("verify_ca", &ca).is_ok());
    assert!(with("verify_ca", &other).is_err());
    // It is a certificate for `localhost`, and not for an address.
    assert!(with("verify_identity", &ca).is_err());
    let named = format!(
        "mariadb://ada:p%20w@localhost:{port}?protocol=tcp&ssl-mode=verify_identity&ssl-ca={ca}"
    );
    assert!(connect(&named).is_ok());
    // What is not known is not passed by.
    let wrong = connect(&at("ada:p%20w", "?sslmode=verify-full")).err().unwrap().to_string();
    assert!(wrong.contains("`sslmode` is not known") && !wrong.contains("p w"), "{wrong}");
    let options = folder.path().join("my.cnf");
    std::fs::write(
        &options,
        format!("[client]\nuser=ada\npassword='p w'\nhost=127.0.0.1\nport={port}\n"),
    )
    .unwrap();
    assert!(connect(&format!("mariadb://?defaults-file={}", options.display())).is_ok());
}
