//! Debian packages that tests and benchmarks need: installed as root, named otherwise.

use crate::run;

/// A program and the package that brings it.
pub(crate) type Need = (&'static str, &'static str);

/// Needed by the tests.
pub(crate) const TEST: &[Need] = &[
    ("ss", "iproute2"),
    ("getcap", "libcap2-bin"),
    ("cvtsudoers", "sudo"),
    ("nft", "nftables"),
    ("iptables-save", "iptables"),
    ("redis-server", "redis-server"),
    ("pg_ctlcluster", "postgresql"),
    ("mariadbd", "mariadb-server"),
    ("systemd-analyze", "systemd"),
    ("chromium", "chromium"),
    ("setpriv", "util-linux"),
    ("rpmbuild", "rpm"),
    ("dnf", "dnf"),
    ("createrepo_c", "createrepo-c"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.xfs", "xfsprogs"),
    ("gpg", "gnupg"),
    ("setfacl", "acl"),
    ("setfattr", "attr"),
    ("python3", "python3"),
    ("openssl", "openssl"),
];

/// Needed by the benchmarks.
pub(crate) const BENCH: &[Need] = &[
    ("lynis", "lynis"),
    ("needrestart", "needrestart"),
    ("pip3", "python3-venv"),
    ("aide", "aide"),
    ("b3sum", "b3sum"),
    ("debsecan", "debsecan"),
    ("inotifywait", "inotify-tools"),
    ("tripwire", "tripwire"),
    ("samhain", "samhain"),
    ("time", "time"),
    ("debootstrap", "debootstrap"),
];

/// Needed by the benchmark of accounts of databases.
pub(crate) const BENCH_ACCESS: &[Need] = &[
    ("pg_ctlcluster", "postgresql"),
    ("/usr/lib/postgresql/15/lib/pgaudit.so", "postgresql-15-pgaudit"),
    ("mariadbd", "mariadb-server"),
    ("mysqltuner", "mysqltuner"),
];

/// Needed to record hosts.
pub(crate) const RECORD: &[Need] = &[
    ("debootstrap", "debootstrap"),
    ("rpm", "rpm"),
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
];

/// Installs what is missing when it may, and says what is missing otherwise.
pub(crate) fn install(needs: &[Need]) -> Result<(), String> {
    let sbin = |name: &str| std::path::Path::new("/usr/sbin").join(name).is_file();
    let missing: Vec<&str> = needs
        .iter()
        .filter(|(program, _)| !run::is_there(program) && !sbin(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let is_root = run::output("id", &["-u"]).is_some_and(|it| it.trim() == "0");
    if !is_root || !run::is_there("apt-get") {
        println!("not installed, so their tests are skipped: {}", missing.join(" "));
        println!("to install them: apt-get install --no-install-recommends {}", missing.join(" "));
        return Ok(());
    }
    run::program("apt-get", &["-q", "update"])?;
    let mut arguments = vec![
        "DEBIAN_FRONTEND=noninteractive",
        // Services that come along are started by the tests themselves, on ports of their own.
        "RUNLEVEL=1",
        "apt-get",
        "install",
        "-qy",
        "--no-install-recommends",
    ];
    arguments.extend(missing);
    run::program("env", &arguments)
}
