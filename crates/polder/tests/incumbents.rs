//! The same question to the incumbent and to Polder, on the machine at hand: no disagreement.
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

use std::collections::BTreeSet;
use support::{incumbent, is_debian_root, rows, skipped, table, text};

#[track_caller]
fn same(ours: &BTreeSet<String>, theirs: &BTreeSet<String>) {
    let only_ours: Vec<_> = ours.difference(theirs).collect();
    let only_theirs: Vec<_> = theirs.difference(ours).collect();
    assert!(
        only_ours.is_empty() && only_theirs.is_empty(),
        "only ours {only_ours:?}, only theirs {only_theirs:?}"
    );
    assert!(!ours.is_empty(), "nothing was compared");
}

#[test]
fn packages_are_those_of_dpkg_query() {
    if !is_debian_root() {
        return;
    }
    let format = "${db:Status-Status} ${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n";
    let Some(answer) = incumbent("dpkg-query", &["-W", "-f", format]) else { return };
    let theirs = answer
        .lines()
        .filter(|it| !it.starts_with("config-files") && !it.starts_with("not-installed"));
    let theirs = theirs.filter_map(|it| Some(it.split_once(' ')?.1.to_string())).collect();
    let ours = rows(&table("packages"));
    let fields = ["name", "version", "architecture", "source", "source_version"];
    let ours = ours.iter().map(|row| fields.map(|name| text(row, name)).join(" ")).collect();
    same(&ours, &theirs);
}

#[test]
fn waiting_updates_are_those_of_apt() {
    if !is_debian_root() {
        return;
    }
    let Some(answer) = incumbent("apt", &["list", "--upgradable"]) else { return };
    let theirs: BTreeSet<String> = answer
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once('/')?;
            let mut words = rest.split(' ').skip(1);
            let (candidate, architecture) = (words.next()?, words.next()?);
            let installed = line.rsplit_once(": ")?.1.trim_end_matches(']');
            Some(format!("{name} {architecture} {installed} {candidate}"))
        })
        .collect();
    let looked = table("candidates");
    let fields = ["name", "architecture", "installed", "candidate"];
    let ours: BTreeSet<String> =
        rows(&looked).iter().map(|row| fields.map(|name| text(row, name)).join(" ")).collect();
    if looked["coverage"]["state"] != "complete" {
        skipped("the indices of apt are not complete here");
        return;
    }
    if theirs.is_empty() && ours.is_empty() {
        skipped("no update is waiting here");
        return;
    }
    same(&ours, &theirs);
}

#[test]
fn listeners_are_those_of_ss() {
    if !is_debian_root() {
        return;
    }
    let Some(answer) = incumbent("ss", &["-tulnpH"]) else { return };
    let theirs: BTreeSet<String> = answer
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let address = words.get(4)?.split('%').next()?;
            let (address, port) = match words[4].rsplit_once(':') {
                Some((_, port)) => (address.rsplit_once(':').map_or(address, |(it, _)| it), port),
                None => return None,
            };
            let address = address.trim_matches(['[', ']']);
            let mut pids: Vec<&str> =
                line.split("pid=").skip(1).filter_map(|it| it.split(',').next()).collect();
            pids.sort_unstable();
            pids.dedup();
            Some(format!(
                "{} {} {port} {}",
                words[0],
                if address == "*" { "::" } else { address },
                pids.join(" ")
            ))
        })
        .collect();
    let ours: BTreeSet<String> = rows(&table("listeners"))
        .iter()
        .filter(|row| text(row, "protocol") != "unix")
        .map(|row| {
            let mut pids: Vec<String> =
                row["pids"].as_array().into_iter().flatten().map(ToString::to_string).collect();
            pids.sort();
            let protocol = text(row, "protocol").replace('6', "");
            format!("{protocol} {} {} {}", text(row, "address"), row["port"], pids.join(" "))
        })
        .collect();
    if theirs.is_empty() {
        skipped("nothing listens here");
        return;
    }
    same(&ours, &theirs);
}

#[test]
fn users_and_groups_are_those_of_getent() {
    if !is_debian_root() {
        return;
    }
    let Some(answer) = incumbent("getent", &["passwd"]) else { return };
    let theirs = answer.lines().map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        format!("{} {} {} {} {}", fields[0], fields[2], fields[3], fields[5], fields[6])
    });
    let ours = rows(&table("users"));
    let ours = ours.iter().map(|row| {
        let shell = text(row, "shell");
        format!("{} {} {} {} {shell}", text(row, "name"), row["uid"], row["gid"], text(row, "home"))
    });
    same(&ours.collect(), &theirs.collect());

    let Some(answer) = incumbent("getent", &["group"]) else { return };
    let theirs = answer.lines().map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        format!("{} {} {}", fields[0], fields[2], fields[3])
    });
    let ours = rows(&table("groups"));
    let ours = ours.iter().map(|row| {
        let members: Vec<&str> =
            row["members"].as_array().into_iter().flatten().filter_map(|it| it.as_str()).collect();
        format!("{} {} {}", text(row, "name"), row["gid"], members.join(","))
    });
    same(&ours.collect(), &theirs.collect());
}

#[test]
fn privileged_files_are_those_of_find_and_getcap() {
    if !is_debian_root() {
        return;
    }
    // The walk of `find` must not follow what comes and goes while both look.
    let roots = ["/usr", "/etc", "/opt", "/var/lib"];
    let is_below = |path: &str| roots.iter().any(|root| path.starts_with(&format!("{root}/")));
    let ours = rows(&table("privileged"));
    let ours = || ours.iter().filter(|row| is_below(&text(row, "path")));
    let mut arguments = roots.to_vec();
    arguments.extend(["-xdev", "-type", "f", "-perm", "/6000"]);
    let Some(answer) = incumbent("find", &arguments) else { return };
    let theirs = answer.lines().map(str::to_string).collect();
    let special =
        ours().filter(|row| row["security"]["mode"].as_u64().is_some_and(|it| it & 0o6000 != 0));
    same(&special.map(|row| text(row, "path")).collect(), &theirs);

    let mut arguments = vec!["-r"];
    arguments.extend(roots);
    let Some(answer) = incumbent("/usr/sbin/getcap", &arguments) else { return };
    let theirs: BTreeSet<String> = answer.lines().map(str::to_string).collect();
    let ours: BTreeSet<String> = ours()
        .filter(|row| row["capabilities"].is_string())
        .map(|row| format!("{} {}", text(row, "path"), text(row, "capabilities")))
        .collect();
    if theirs.is_empty() && ours.is_empty() {
        skipped("no file has capabilities here");
        return;
    }
    // libcap prints the names in the order of their numbers, as we do.
    same(&ours, &theirs);
}

#[test]
fn sudo_rights_are_those_of_cvtsudoers() {
    let folder = tempfile::tempdir().unwrap();
    let sudoers = folder.path().join("etc/sudoers");
    std::fs::create_dir_all(sudoers.parent().unwrap()).unwrap();
    std::fs::write(&sudoers, SUDOERS).unwrap();
    let Some(answer) = incumbent("cvtsudoers", &["-e", "-f", "json", sudoers.to_str().unwrap()])
    else {
        return;
    };
    let theirs: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let names = |list: &serde_json::Value, kinds: &[(&str, &str)]| -> Vec<String> {
        list.as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| {
                let sign = if item["negated"] == true { "!" } else { "" };
                kinds.iter().find_map(|(key, prefix)| match &item[*key] {
                    serde_json::Value::String(name) => Some(format!("{sign}{prefix}{name}")),
                    serde_json::Value::Number(id) => Some(format!("{sign}{prefix}{id}")),
                    _ => None,
                })
            })
            .collect()
    };
    let users = [("username", ""), ("userid", "#"), ("usergroup", "%"), ("usergid", "%#")];
    let mut expected = BTreeSet::new();
    for spec in theirs["User_Specs"].as_array().unwrap() {
        for part in spec["Cmnd_Specs"].as_array().unwrap() {
            let options = part["Options"].as_array().cloned().unwrap_or_default();
            let no_password = options.iter().any(|it| it["authenticate"] == false);
            let run_as = match part["runasusers"].is_null() {
                true => vec!["root".to_string()],
                false => names(&part["runasusers"], &users),
            };
            for command in names(&part["Commands"], &[("command", "")]) {
                let who = names(&spec["User_List"], &users).join(",");
                let hosts =
                    names(&spec["Host_List"], &[("hostname", ""), ("networkaddr", "")]).join(",");
                expected.insert(format!(
                    "{who} {hosts} ({}) {no_password} {command}",
                    run_as.join(",")
                ));
            }
        }
    }
    let output =
        support::run(&["look", "sudo", "--json", "--root", folder.path().to_str().unwrap()]);
    let ours: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = |value: &serde_json::Value| {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| it.as_str())
            .collect::<Vec<_>>()
            .join(",")
    };
    let mut found = BTreeSet::new();
    for rule in rows(&ours) {
        for it in rule["commands"].as_array().unwrap() {
            let (who, hosts, run_as) =
                (list(&rule["users"]), list(&rule["hosts"]), list(&it["run_as_users"]));
            found.insert(format!(
                "{who} {hosts} ({run_as}) {} {}",
                it["no_password"],
                text(it, "command")
            ));
        }
    }
    same(&found, &expected);
}

const SUDOERS: &str = r#"
Defaults env_reset
User_Alias OPS = ada, %wheel : DEVS = bob, !eve
Host_Alias WEB = web1, web2
Runas_Alias DB = postgres, mysql
Cmnd_Alias SHELLS = /bin/sh, /bin/bash : \
    STOP = /usr/sbin/halt, /usr/sbin/reboot
root ALL=(ALL:ALL) ALL
OPS ALL = (DB) NOPASSWD: /usr/bin/psql, PASSWD: /usr/bin/pg_dump, (root) STOP
DEVS WEB = NOEXEC: /usr/bin/vim, !SHELLS : db1 = (ALL) NOPASSWD: ALL
#1000 ALL = /usr/bin/systemctl restart nginx, /usr/bin/tail -f /var/log/*
%#50 ALL = (www-data) SETENV: /usr/bin/make \
   -C /srv
eve ALL = sudoedit /etc/hosts
"#;

#[test]
fn replaced_code_is_seen_in_a_process_that_still_runs_it() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("replaced");
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("sleeper");
    std::fs::copy("/bin/sleep", &program).unwrap();
    let mut child = std::process::Command::new(&program).arg("60").spawn().unwrap();
    let find = || {
        let all = rows(&table("processes"));
        all.into_iter().find(|row| row["pid"] == child.id()).unwrap()
    };
    // The process may still be the copy of this test until it runs the program.
    while text(&find(), "name") != "sleeper" {
        std::thread::yield_now();
    }
    assert!(find()["replaced"].as_array().unwrap().is_empty());
    let beside = folder.join("sleeper.new");
    std::fs::copy("/bin/sleep", &beside).unwrap();
    std::fs::rename(&beside, &program).unwrap();
    let replaced = find()["replaced"].clone();
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(replaced.as_array().map(Vec::len), Some(1), "{replaced}");
    assert_eq!(replaced[0]["how"], "deleted");
}

#[test]
fn unit_settings_are_those_of_systemd_analyze() {
    if !is_debian_root() {
        return;
    }
    let units = rows(&table("units"));
    let mut compared = 0;
    for unit in units.iter().filter(|it| text(it, "name").ends_with(".service")).take(60) {
        let name = text(unit, "name");
        if unit["masked"] == true || name.contains('@') {
            continue;
        }
        let Some(answer) =
            incumbent("systemd-analyze", &["cat-config", &format!("systemd/system/{name}")])
        else {
            return;
        };
        let theirs: Vec<String> = answer
            .lines()
            .filter_map(|line| line.split_once('='))
            .filter(|(key, _)| !key.starts_with(['#', ';', ' ']))
            .map(|(key, value)| format!("{}={}", key.trim(), value.trim()))
            .filter(|it| !it.ends_with('\\'))
            .collect();
        let ours: Vec<String> = unit["settings"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| format!("{}={}", text(it, "name"), text(it, "value")))
            .collect();
        for setting in theirs.iter().filter(|it| {
            it.starts_with("Protect")
                || it.starts_with("Private")
                || it.starts_with("NoNew")
                || it.starts_with("User=")
        }) {
            assert!(ours.contains(setting), "{name}: {setting} in {ours:?}");
            compared += 1;
        }
    }
    if compared == 0 {
        skipped("no unit could be compared");
    }
}
