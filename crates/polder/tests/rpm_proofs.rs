//! An upgrade by RPM in a root made for the test: what signed headers prove is silent, and nothing else is.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and runs programs"
)]

mod support;

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::disk::must;
use support::{run, skipped, stderr};

/// Where packages are built and signed, and the root they are installed in.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Option<Self> {
        let is_there = |it: &str| Command::new(it).arg("--version").output().is_ok();
        let all = ["rpm", "rpmbuild", "rpmsign", "gpg", "gpgv"];
        if !all.into_iter().all(is_there) || !rustix::process::geteuid().is_root() {
            skipped("it takes root, rpm and gpg");
            return None;
        }
        let it = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["gnupg", "root/etc/pki/rpm-gpg", "root/var/lib/rpm", "built"] {
            fs::create_dir_all(it.at(folder)).unwrap();
        }
        fs::set_permissions(it.at("gnupg"), fs::Permissions::from_mode(0o700)).unwrap();
        // Debian's rpm keeps its database elsewhere.
        let macros = format!(
            "%_dbpath /var/lib/rpm\n%_gpg_name vendor\n%_gpg_path {}\n%__gpg /usr/bin/gpg\n",
            it.at("gnupg").display()
        );
        fs::write(it.at(".rpmmacros"), macros).unwrap();
        it.gpg(&["--quick-generate-key", "vendor", "rsa2048", "sign", "never"]);
        let key = it.gpg(&["--armor", "--export", "vendor"]);
        fs::write(it.at("root/etc/pki/rpm-gpg/RPM-GPG-KEY-vendor"), key).unwrap();
        fs::write(it.at("passphrase"), "correct horse battery\n").unwrap();
        Some(it)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn gpg(&self, arguments: &[&str]) -> String {
        let home = self.at("gnupg").display().to_string();
        let always =
            ["--homedir", &home, "--batch", "--passphrase", "", "--pinentry-mode", "loopback"];
        must("gpg", &[&always, arguments].concat())
    }

    fn rpm(&self, program: &str, arguments: &[&str]) {
        let output =
            Command::new(program).env("HOME", self.folder.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", stderr(&output));
    }

    /// Builds a version of the package, signed or not.
    fn build(&self, version: &str, sources: &str, files: &str, is_signed: bool) -> PathBuf {
        let spec = format!(
            "Name: tool\nVersion: {version}\nRelease: 1\nSummary: t\nLicense: MIT\nBuildArch: noarch\n%description\nt\n%install\nmkdir -p %{{buildroot}}/usr/bin %{{buildroot}}/usr/share/tool %{{buildroot}}/etc\necho {version} > %{{buildroot}}/usr/bin/tool\necho same > %{{buildroot}}/usr/share/tool/same\nln -s tool %{{buildroot}}/usr/bin/link-{version}\necho {version} > %{{buildroot}}/etc/tool.conf\necho {version} > %{{buildroot}}/etc/other.conf\n{sources}%files\n%attr(0755, root, root) /usr/bin/tool\n/usr/bin/link-{version}\n%dir /usr/share/tool\n/usr/share/tool/same\n%config(noreplace) /etc/tool.conf\n%config(noreplace) /etc/other.conf\n{files}"
        );
        fs::write(self.at("tool.spec"), spec).unwrap();
        let built = self.at("built").display().to_string();
        let (top, path) = (self.at("top").display().to_string(), self.at("tool.spec"));
        self.rpm(
            "rpmbuild",
            &[
                "--quiet",
                "-bb",
                "--define",
                &format!("_topdir {top}"),
                "--define",
                &format!("_rpmdir {built}"),
                "--define",
                "_rpmfilename %%{NAME}-%%{VERSION}.rpm",
                &path.display().to_string(),
            ],
        );
        let package = self.at(&format!("built/tool-{version}.rpm"));
        if is_signed {
            self.rpm("rpmsign", &["--addsign", &package.display().to_string()]);
        }
        package
    }

    fn install(&self, package: &Path, more: &[&str]) {
        let root = self.at("root").display().to_string();
        let package = package.display().to_string();
        let always = ["--root", &root, "-U", "--nodeps", "--force-debian", &package];
        self.rpm("rpm", &[&always, more].concat());
    }

    fn polder(&self, arguments: &[&str]) -> std::process::Output {
        let [root, state, passphrase] =
            ["root", "state", "passphrase"].map(|it| self.at(it).display().to_string());
        let mut all = vec!["baseline"];
        all.extend(arguments);
        all.extend(["--root", &root, "--state", &state]);
        if arguments[0] == "init" {
            all.extend(["--passphrase-file", &passphrase]);
        }
        run(&all)
    }

    fn init(&self) {
        let output = self.polder(&["init", "--again"]);
        assert!(output.status.success(), "{}", stderr(&output));
    }

    /// Paths that a check tells, and all it says.
    fn told(&self) -> (Vec<String>, Value) {
        let output = self.polder(&["check", "--json"]);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let path = |it: &Value| it["path"].as_str().unwrap().to_string();
        let mut paths: Vec<String> =
            value["changes"].as_array().unwrap().iter().map(path).collect();
        paths.sort();
        (paths, value)
    }
}

#[test]
fn what_signed_headers_prove_is_silent_and_nothing_else() {
    let Some(place) = Place::new() else { return };
    let first = place.build(
        "1.0",
        "echo x > %{buildroot}/usr/share/tool/gone\n",
        "/usr/share/tool/gone\n",
        true,
    );
    let capable = "%caps(cap_net_raw=p) /usr/share/tool/new\n";
    let second = place.build("2.0", "echo x > %{buildroot}/usr/share/tool/new\n", capable, true);
    place.install(&first, &[]);
    // A setting that somebody changed stays, and the new one comes beside it.
    fs::write(place.at("root/etc/other.conf"), "own\n").unwrap();
    place.init();
    assert_eq!(place.told().0, Vec::<String>::new());

    place.install(&second, &[]);
    let (told, value) = place.told();
    // Rights that modes do not tell, a file that RPM puts beside a setting, and the database, which holds more than what
    // is signed.
    let left = ["/etc/other.conf.rpmnew", "/usr/share/tool/new", "/var/lib/rpm/rpmdb.sqlite"];
    assert_eq!(told, left, "{value:#}");
    let package = &value["packages"][0];
    assert_eq!((package["from"].as_str(), package["to"].as_str()), (Some("1.0-1"), Some("2.0-1")));
    // The program, one setting, two links, what is gone, the folder.
    assert!(package["proved"].as_u64().unwrap() >= 5, "{value:#}");

    let tool = place.at("root/usr/bin/tool");
    let path = tool.display().to_string();
    // The program of before, with its flaws, put back below a database that says otherwise.
    let good = fs::read(&tool).unwrap();
    fs::write(&tool, "1.0\n").unwrap();
    let (told, value) = place.told();
    assert!(told.contains(&"/usr/bin/tool".to_string()), "{value:#}");
    assert!(value.to_string().contains("its package is tool 2.0-1"), "{value:#}");
    fs::write(&tool, &good).unwrap();
    // A byte, a mode, an owner, a name more than what is signed.
    let tampers: [(&str, &[&str]); 4] = [
        ("sh", &["-c", "printf 2.1 > \"$0\"", &path]),
        ("chmod", &["4755", &path]),
        ("chown", &["1:0", &path]),
        ("ln", &["-f", &path, &format!("{path}-second")]),
    ];
    for (program, arguments) in tampers {
        must(program, arguments);
        let (told, _) = place.told();
        assert!(told.contains(&"/usr/bin/tool".to_string()), "{arguments:?}: {told:?}");
        let _ = fs::remove_file(format!("{path}-second"));
        fs::write(&tool, &good).unwrap();
        must("chown", &["0:0", &path]);
        must("chmod", &["755", &path]);
    }
    assert_eq!(place.told().0, left);
    // What RPM would read, and is not in the file that was judged.
    fs::write(place.at("root/var/lib/rpm/rpmdb.sqlite-wal"), "x").unwrap();
    let (told, value) = place.told();
    assert!(told.contains(&"/var/lib/rpm/rpmdb.sqlite-wal".to_string()), "{told:?}");
    assert!(told.contains(&"/usr/bin/tool".to_string()), "{value:#}");
}

#[test]
fn a_database_that_is_none_keeps_nobody_waiting() {
    let Some(place) = Place::new() else { return };
    let first = place.build("1.0", "", "", true);
    place.install(&first, &[]);
    place.init();
    let database = place.at("root/var/lib/rpm/rpmdb.sqlite");
    fs::remove_file(&database).unwrap();
    let view = "CREATE VIEW Packages AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS hnum, x AS blob FROM n";
    let made = Command::new("python3")
        .args(["-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2])"])
        .args([&database.display().to_string(), view])
        .status();
    assert!(made.unwrap().success());
    let (told, value) = place.told();
    assert!(told.contains(&"/var/lib/rpm/rpmdb.sqlite".to_string()), "{value:#}");
}

#[test]
fn a_package_that_is_older_or_not_signed_proves_nothing() {
    let Some(place) = Place::new() else { return };
    let first = place.build("1.0", "", "", true);
    let second = place.build("2.0", "", "", true);
    let third = place.build("3.0", "", "", false);
    place.install(&second, &[]);
    place.init();
    for (package, because) in [(&first, "older version"), (&third, "not signed by a key")] {
        place.install(package, &["--oldpackage"]);
        let (told, value) = place.told();
        assert!(told.contains(&"/usr/bin/tool".to_string()), "{value:#}");
        let says = value["packages"][0]["because"].as_str().unwrap();
        assert!(says.contains(because), "{says}");
    }
    // Signed, but the key is not the one of the baseline.
    place.install(&second, &["--oldpackage"]);
    place.init();
    fs::write(place.at("root/etc/pki/rpm-gpg/RPM-GPG-KEY-vendor"), "another\n").unwrap();
    let fourth = place.build("4.0", "", "", true);
    place.install(&fourth, &[]);
    let (told, value) = place.told();
    assert!(told.contains(&"/usr/bin/tool".to_string()), "{value:#}");
}
