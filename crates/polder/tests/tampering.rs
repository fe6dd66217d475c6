//! Every way to tamper with a host, told by the tables of inodes and by reading, with what it means.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and makes files"
)]

mod support;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, symlink};
use support::disk::{
    Disk, add, append, file, folder, furnish, link, log, mode, nothing, remove, shell,
};
use support::{repository, run, skipped};

/// One way to tamper with a host: what it is called in the documentation, what is there before, and what
/// is done to it. The path is that of which a check must tell.
struct Case {
    name: &'static str,
    path: &'static str,
    before: fn(&Disk, &str),
    tamper: fn(&Disk, &str),
    /// A word that the check must say of it.
    says: &'static str,
}

const fn case(
    name: &'static str,
    path: &'static str,
    before: fn(&Disk, &str),
    tamper: fn(&Disk, &str),
    says: &'static str,
) -> Case {
    Case { name, path, before, tamper, says }
}

/// Every way, each on a path of its own.
const CASES: &[Case] = &[
    case(
        "content written, time put back",
        "usr/bin/back",
        file,
        |d, p| {
            shell(
                d,
                p,
                "touch -r \"$1\" /tmp/polder-$$; printf X | dd of=\"$1\" conv=notrunc status=none; touch -r /tmp/polder-$$ \"$1\"; rm /tmp/polder-$$",
            )
        },
        "other content",
    ),
    case("content appended", "usr/bin/append", file, append, "other content"),
    case(
        "replaced by renaming, same length",
        "usr/bin/rename",
        file,
        |d, p| shell(d, p, "tr a b < \"$1\" > \"$1.new\"; mv \"$1.new\" \"$1\""),
        "other content",
    ),
    case("cut to nothing", "usr/bin/cut", file, |d, p| d.write(p, ""), "other content"),
    case("empty file filled", "usr/lib/empty", |d, p| d.write(p, ""), append, "other content"),
    case(
        "one byte of a large file",
        "usr/lib/large",
        |d, p| d.write(p, vec![7; 3 << 20]),
        |d, p| {
            fs::File::options()
                .write(true)
                .open(d.at(p))
                .unwrap()
                .write_all_at(b"x", 2_000_001)
                .unwrap();
        },
        "as long as before",
    ),
    case(
        "hole punched",
        "usr/lib/holes",
        |d, p| d.write(p, vec![7; 1 << 20]),
        |d, p| shell(d, p, "fallocate --punch-hole --offset 4096 --length 8192 \"$1\""),
        "as long as before",
    ),
    case("made executable", "etc/exec", file, |d, p| mode(d, p, 0o755), "mode 0644 -> 0755"),
    case("made set-uid", "usr/bin/suid", file, |d, p| mode(d, p, 0o4755), "does so as root"),
    case("made set-gid", "usr/bin/sgid", file, |d, p| mode(d, p, 0o2755), "with the group"),
    case("made writable for all", "etc/open", file, |d, p| mode(d, p, 0o666), "any user may write"),
    case("made unreadable", "etc/closed", file, |d, p| mode(d, p, 0), "mode 0644 -> 0000"),
    case("mode of a folder", "etc/folder", folder, |d, p| mode(d, p, 0o777), "mode 0755 -> 0777"),
    case("owner", "etc/owner", file, |d, p| shell(d, p, "chown 7 \"$1\""), "owner"),
    case("group", "etc/group2", file, |d, p| shell(d, p, "chgrp 7 \"$1\""), "owner"),
    case(
        "owner of a link",
        "etc/linkowner",
        link,
        |d, p| shell(d, p, "chown -h 7 \"$1\""),
        "owner",
    ),
    case(
        "file capability",
        "usr/bin/capable",
        file,
        |d, p| shell(d, p, "setcap cap_setuid+ep \"$1\""),
        "cap_setuid",
    ),
    case(
        "attribute of a user",
        "etc/attribute",
        file,
        |d, p| shell(d, p, "setfattr -n user.note -v x \"$1\""),
        "attribute `user.note` added",
    ),
    case(
        "access control list",
        "etc/acl",
        file,
        |d, p| shell(d, p, "setfacl -m u:7:rw \"$1\""),
        "access control list added",
    ),
    case(
        "list for new files of a folder",
        "etc/aclfolder",
        folder,
        |d, p| shell(d, p, "setfacl -d -m u:7:rw \"$1\""),
        "for new files added",
    ),
    case(
        "made immutable",
        "etc/immutable",
        file,
        |d, p| shell(d, p, "chattr +i \"$1\""),
        "immutable",
    ),
    case(
        "made append-only",
        "etc/appendonly",
        file,
        |d, p| shell(d, p, "chattr +a \"$1\""),
        "append-only",
    ),
    case(
        "time of modification set",
        "etc/time",
        file,
        |d, p| shell(d, p, "touch -d 2001-02-03 \"$1\""),
        "time of modification",
    ),
    case(
        "second name made",
        "usr/bin/linked",
        file,
        |d, p| {
            fs::hard_link(d.at(p), d.at("usr/bin/second")).unwrap();
        },
        "names that lead to it 1 -> 2",
    ),
    case("program added", "usr/bin/added", nothing, add, "added"),
    case("hidden file added", "usr/lib/.x", nothing, add, "added"),
    case("name of blanks", "usr/bin/ ", nothing, add, "added"),
    case("name with a newline", "usr/bin/a\nb", nothing, add, "added"),
    case("name that commands terminals", "usr/bin/\u{1b}[2J", nothing, add, "added"),
    case("folder added", "usr/lib/new", nothing, folder, "with 1 below it"),
    case("file removed", "etc/removed", file, remove, "removed"),
    case("folder removed", "etc/removedfolder", folder, remove, "removed"),
    case(
        "file renamed",
        "etc/renamed",
        file,
        |d, p| {
            fs::rename(d.at(p), d.at("etc/renamed.new")).unwrap();
        },
        "removed",
    ),
    case(
        "two files exchanged",
        "etc/swapped",
        |d, p| {
            file(d, p);
            d.write("etc/swapped.2", "other");
        },
        |d, p| shell(d, p, "mv \"$1\" \"$1.3\"; mv \"$1.2\" \"$1\"; mv \"$1.3\" \"$1.2\""),
        "other content",
    ),
    case(
        "link led elsewhere",
        "etc/alternatives/awk",
        link,
        |d, p| {
            remove(d, p);
            symlink("/tmp/awk", d.at(p)).unwrap();
        },
        "leads to `/tmp/awk`",
    ),
    case(
        "link replaced by a file",
        "etc/linkfile",
        link,
        |d, p| {
            remove(d, p);
            file(d, p);
        },
        "was a symbolic link, is a file",
    ),
    case(
        "file replaced by a link",
        "etc/filelink",
        file,
        |d, p| {
            remove(d, p);
            link(d, p);
        },
        "was a file, is a symbolic link",
    ),
    case(
        "file replaced by a folder",
        "etc/filefolder",
        file,
        |d, p| {
            remove(d, p);
            folder(d, p);
        },
        "was a file, is a folder",
    ),
    case("device made", "etc/device", nothing, |d, p| shell(d, p, "mknod \"$1\" c 1 1"), "device"),
    case("disk made", "var/disk", nothing, |d, p| shell(d, p, "mknod \"$1\" b 7 99"), "device"),
    case("pipe made", "etc/pipe", nothing, |d, p| shell(d, p, "mkfifo \"$1\""), "named pipe"),
    case(
        "socket made",
        "etc/socket",
        nothing,
        |d, p| {
            drop(std::os::unix::net::UnixListener::bind(d.at(p)).unwrap());
        },
        "socket",
    ),
    case("preloaded library", "etc/ld.so.preload", nothing, add, "every program loads"),
    case("job in cron.d", "etc/cron.d/update", nothing, add, "runs commands at set times"),
    case(
        "crontab of a user",
        "var/spool/cron/crontabs/ada",
        file,
        append,
        "runs commands at set times",
    ),
    case("unit", "etc/systemd/system/x.service", nothing, add, "starts services"),
    case(
        "unit enabled",
        "etc/systemd/system/multi-user.target.wants/y.service",
        nothing,
        link,
        "starts services",
    ),
    case("keys of root", "root/.ssh/authorized_keys", file, append, "who may log in as its user"),
    case(
        "keys of a user",
        "home/ada/.ssh/authorized_keys",
        nothing,
        add,
        "who may log in as its user",
    ),
    case("rights of sudo", "etc/sudoers.d/ada", nothing, add, "who may become root"),
    case("user added", "etc/passwd", file, append, "lists the users"),
    case("password", "etc/shadow", file, append, "holds the passwords"),
    case("PAM setting", "etc/pam.d/login", file, append, "who may log in, and how"),
    case(
        "PAM module",
        "usr/lib/x86_64-linux-gnu/security/pam_unix.so",
        file,
        append,
        "sees every password",
    ),
    case("start of shells", "etc/profile.d/x.sh", nothing, add, "every shell"),
    case("shell of a user", "home/ada/.bashrc", file, append, "every shell of its user"),
    case("rule of udev", "etc/udev/rules.d/9.rules", nothing, add, "when devices come"),
    case("hook of apt", "etc/apt/apt.conf.d/99x", nothing, add, "what runs then"),
    case("script of motd", "etc/update-motd.d/99-x", nothing, add, "at each login"),
    case("kernel module", "lib/modules/6.1/extra/x.ko", nothing, add, "kernel may load"),
    case("start script", "etc/init.d/x", nothing, add, "when the system starts"),
    case(
        "hook of git",
        "srv/git/shop.git/.git/hooks/post-receive",
        nothing,
        add,
        "works with the repository",
    ),
    case("page that runs commands", "srv/shop/up/x.php", nothing, add, "data that services serve"),
    case("what dpkg believes", "var/lib/dpkg/info/su.md5sums", file, append, "what dpkg believes"),
    case("trusted certificate", "etc/ssl/certs/x.pem", nothing, add, "certificates are trusted"),
    case("log cut", "var/log/cut.log", log, |d, p| d.write(p, "one\n"), "shorter than it was"),
    case(
        "line taken out of a log",
        "var/log/line.log",
        log,
        |d, p| {
            d.write(p, "one\nTWO\nthree\nfour\n");
        },
        "does not begin with what it had",
    ),
    case("log removed", "var/log/removed.log", log, remove, "removed"),
    case(
        "set-uid program in /tmp",
        "tmp/suid",
        nothing,
        |d, p| {
            add(d, p);
            mode(d, p, 0o4755);
        },
        "does so as root",
    ),
    case(
        "program in /tmp",
        "tmp/dropper",
        nothing,
        |d, p| {
            add(d, p);
            mode(d, p, 0o755);
        },
        "added",
    ),
    case(
        "device in /tmp",
        "tmp/memory",
        nothing,
        |d, p| shell(d, p, "mknod \"$1\" c 1 1"),
        "device",
    ),
];

#[test]
fn every_way_to_tamper_is_told_with_what_it_means() {
    let Some(disk) = Disk::new() else { return skipped("no image can be mounted here") };
    furnish(&disk);
    for case in CASES {
        (case.before)(&disk, case.path);
    }
    disk.init();
    let root = format!("--root={}", disk.root.display());
    let second = format!("--state={}", disk.folder.path().join("state2").display());
    let passphrase = format!("--passphrase-file={}/passphrase", disk.folder.path().display());
    let output = run(&["baseline", "init", &root, &second, &passphrase]);
    assert!(output.status.success(), "{}", support::stderr(&output));
    let quiet = run(&["baseline", "check", &root, &second]);
    assert_eq!(quiet.status.code(), Some(0), "{}", support::stdout(&quiet));
    for case in CASES {
        (case.tamper)(&disk, case.path);
    }
    let shown = |path: &str| polder_model::printable(std::ffi::OsStr::new(path).as_bytes());
    // By the tables of inodes, and by reading everything.
    let told = disk.told(&[]);
    let output = run(&["baseline", "check", &root, &second, "--all"]);
    let text = support::stdout(&output);
    let mut missing = Vec::new();
    for case in CASES {
        let start = format!("{} ", shown(case.path));
        if !told.iter().any(|it| it.starts_with(&start)) {
            missing.push(format!("{}: not told by the tables", case.name));
        }
        let line = format!("/{}  ", shown(case.path));
        let block = text.split("\n\n").find(|it| it.starts_with(&line));
        match block {
            None => missing.push(format!("{}: not told by reading", case.name)),
            Some(block) if !block.contains(case.says) => {
                missing.push(format!("{}: does not say `{}`: {block}", case.name, case.says));
            }
            Some(_) => {}
        }
    }
    shell(&disk, "etc", "chattr -i -a \"$1\"/immutable \"$1\"/appendonly");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_documentation_lists_every_way() {
    let page = fs::read_to_string(repository().join("docs/baseline.md")).unwrap();
    for case in CASES {
        assert!(page.contains(&format!("| {} |", case.name)), "{}", case.name);
    }
}
