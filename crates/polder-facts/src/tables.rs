//! Every table, in the order in which people meet them, and the look at all of them.

use crate::{
    addresses, applications, backups, credentials, cron, firewall, history, influences,
    interpreted, listeners, mounts, packages, powers, privileged, processes, servers, sshd, sudo,
    system, units, unsupported, users, watchers,
};
use polder_host::{Host, Stat, SweepReason};
use polder_model::facts::{Facts, OwnersCoverage};
use polder_model::{Coverage, Problem, Table, Timestamp};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Stages in which tables are looked at.
const STAGES: u8 = 3;

/// What later stages need and nobody else should see.
#[derive(Default)]
pub(crate) struct Notes {
    credential_files: Vec<(PathBuf, Stat)>,
    walk: Option<Coverage>,
}

/// A change of the facts that a look has found.
type Found = Box<dyn FnOnce(&mut Facts, &mut Notes) + Send>;

/// One table for showing: how well it was looked at, its rows, what was malformed.
pub struct Shown {
    /// Coverage.
    pub coverage: Coverage,
    /// Rows as JSON objects.
    pub rows: Vec<Value>,
    /// Problems.
    pub problems: Vec<Problem>,
}

/// One table.
pub struct TableEntry {
    /// Its name on the command line and in the documentation.
    pub name: &'static str,
    /// What its rows are.
    pub title: &'static str,
    /// What is read for it.
    pub reads: &'static str,
    stage: u8,
    /// Tables of earlier stages that it is made from.
    needs: &'static [&'static str],
    look: fn(&dyn Host, &Facts, &Notes) -> Found,
    show: fn(&Facts) -> Shown,
}

impl TableEntry {
    /// The table as JSON rows.
    pub fn show(&self, facts: &Facts) -> Shown {
        (self.show)(facts)
    }
}

fn shown<T: Serialize>(table: &Table<T>) -> Shown {
    Shown {
        coverage: table.coverage.clone(),
        rows: table.rows.iter().filter_map(|row| serde_json::to_value(row).ok()).collect(),
        problems: table.problems.clone(),
    }
}

/// The same rows, each with all of these fields: columns must not depend on what was found.
fn with_fields(mut shown: Shown, fields: &[&str]) -> Shown {
    for row in shown.rows.iter_mut().filter_map(Value::as_object_mut) {
        for field in fields {
            row.entry(*field).or_insert(Value::Null);
        }
    }
    shown
}

/// A table that another entry fills along with its own.
fn nothing(_: &dyn Host, _: &Facts, _: &Notes) -> Found {
    Box::new(|_, _| {})
}

/// Every table, in the order in which people meet them.
pub static TABLES: &[TableEntry] = &[
    TableEntry {
        name: "system",
        title: "operating system, kernel, boot and clock",
        reads: "/etc/os-release, /proc/sys/kernel, /boot, /run/reboot-required",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(system::look(host), |facts| &mut facts.system),
        show: |facts| shown(&facts.system),
    },
    TableEntry {
        name: "packages",
        title: "installed packages with their source",
        reads: "/var/lib/dpkg/status, /lib/apk/db/installed, `rpm -qa`",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(packages::look(host), |facts| &mut facts.packages),
        show: |facts| shown(&facts.packages),
    },
    TableEntry {
        name: "indices",
        title: "the package manager's indices: date, Valid-Until, whether they are whole",
        reads: "/etc/apt/sources.list*, /var/lib/apt/lists; /etc/apk/repositories, /var/cache/apk; /etc/yum.repos.d, the caches of dnf",
        stage: 2,
        needs: &["packages"],
        look: |host, facts, _| {
            let looked = packages::offers(host, facts);
            Box::new(move |facts, _| {
                facts.indices = looked.indices;
                facts.candidates = looked.candidates;
                for (package, origins) in facts.packages.rows.iter_mut().zip(looked.origins) {
                    package.origins = origins;
                }
            })
        },
        show: |facts| shown(&facts.indices),
    },
    TableEntry {
        name: "candidates",
        title: "packages with a newer version on offer, as the package manager sees them",
        reads: "the same, /etc/apt/preferences*, /etc/dnf, /var/lib/polder/changelogs",
        stage: 2,
        needs: &["indices"],
        look: nothing,
        show: |facts| shown(&facts.candidates),
    },
    TableEntry {
        name: "upgrades",
        title: "past upgrades",
        reads: "/var/log/dpkg.log, /var/log/dnf.rpm.log, and the older ones beside them",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(history::look(host), |facts| &mut facts.upgrades),
        show: |facts| shown(&facts.upgrades),
    },
    TableEntry {
        name: "unsupported",
        title: "source packages without security support, or with support for some uses only",
        reads: "/usr/share/debian-security-support",
        stage: 2,
        needs: &["system", "packages"],
        look: |host, facts, _| {
            found(unsupported::look(host, facts), |facts| &mut facts.unsupported)
        },
        show: |facts| shown(&facts.unsupported),
    },
    TableEntry {
        name: "processes",
        title: "processes: user, capabilities, confinement, changed code still running",
        reads: "/proc/PID/{status,stat,cmdline,cgroup,exe,maps,ns,root,cwd}; scripts of interpreters",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(processes::look(host), |facts| &mut facts.processes),
        show: |facts| shown(&facts.processes),
    },
    TableEntry {
        name: "applications",
        title: "programs of the owner's that run, with the libraries they are built with",
        reads: "/proc/PID/cwd; lock files and installed libraries where they run",
        stage: 2,
        needs: &["processes"],
        look: |host, facts, _| {
            found(applications::look(host, facts), |facts| &mut facts.applications)
        },
        show: |facts| shown(&facts.applications),
    },
    TableEntry {
        name: "application-flaws",
        title: "known flaws of the libraries of what runs",
        reads: "the feeds imported by `polder feed`",
        stage: STAGES,
        needs: &["applications"],
        look: nothing,
        show: |facts| {
            with_fields(shown(&facts.application_flaws), &["fixed", "from", "state", "because"])
        },
    },
    TableEntry {
        name: "addresses",
        title: "addresses of the network interfaces",
        reads: "/proc/net/fib_trie, /proc/net/if_inet6",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(addresses::look(host), |facts| &mut facts.addresses),
        show: |facts| shown(&facts.addresses),
    },
    TableEntry {
        name: "firewall",
        title: "packet filter rules",
        reads: "`nft -j list ruleset`, `iptables-save`, `ip6tables-save`",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(firewall::look(host), |facts| &mut facts.firewall),
        show: |facts| shown(&facts.firewall),
    },
    TableEntry {
        name: "listeners",
        title: "listening sockets with their owner, and whether they can be reached from outside",
        reads: "/proc/net/{tcp,tcp6,udp,udp6,unix}, /proc/PID/fd",
        stage: 2,
        needs: &["processes", "firewall"],
        look: |host, facts, _| found(listeners::look(host, facts), |facts| &mut facts.listeners),
        show: |facts| shown(&facts.listeners),
    },
    TableEntry {
        name: "units",
        title: "units of systemd with their drop-ins",
        reads: "/etc/systemd/system, /run/systemd/system, /usr/lib/systemd/system",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(units::look(host), |facts| &mut facts.units),
        show: |facts| shown(&facts.units),
    },
    TableEntry {
        name: "users",
        title: "users, and whether a password stands before each",
        reads: "/etc/passwd, /etc/shadow (never the hashes)",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(users::look(host), |facts| &mut facts.users),
        show: |facts| shown(&facts.users),
    },
    TableEntry {
        name: "groups",
        title: "groups",
        reads: "/etc/group",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(users::look_groups(host), |facts| &mut facts.groups),
        show: |facts| shown(&facts.groups),
    },
    TableEntry {
        name: "sudo",
        title: "rules of sudo",
        reads: "/etc/sudoers and all it includes",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(sudo::look(host), |facts| &mut facts.sudo),
        show: |facts| shown(&facts.sudo),
    },
    TableEntry {
        name: "powers",
        title: "who can become whom, and through what",
        reads: "the rules of sudo, /etc/doas.conf, polkit rules, groups",
        stage: 2,
        needs: &["users", "groups", "sudo", "system"],
        look: |host, facts, _| found(powers::look(host, facts), |facts| &mut facts.powers),
        show: |facts| shown(&facts.powers),
    },
    TableEntry {
        name: "sshd",
        title: "effective settings of the SSH server",
        reads: "`sshd -T`, else /etc/ssh/sshd_config",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(sshd::look(host), |facts| &mut facts.sshd),
        show: |facts| shown(&facts.sshd),
    },
    TableEntry {
        name: "keys",
        title: "keys that may log in, without the keys",
        reads: "~/.ssh/authorized_keys of every user",
        stage: 2,
        needs: &["users"],
        look: |host, facts, _| {
            let mut table = sshd::look_keys(host, &facts.users.rows);
            // Whose homes are not known, their keys are not either.
            if !facts.users.coverage.empty_means_none() && table.coverage == Coverage::Complete {
                table.coverage = facts.users.coverage.clone();
            }
            found(table, |facts| &mut facts.authorized_keys)
        },
        show: |facts| shown(&facts.authorized_keys),
    },
    TableEntry {
        name: "privileged",
        title: "SUID and SGID files and file capabilities",
        reads: "a walk of the local file systems",
        stage: 1,
        needs: &[],
        look: |host, _, _| {
            let sweep = host.sweep();
            let table = privileged::from_sweep(&sweep);
            let walk = privileged::coverage(&sweep);
            let files = sweep.map(|sweep| sweep.entries).unwrap_or_default().into_iter();
            let files = files.filter(|it| it.reason == SweepReason::CredentialName);
            let files: Vec<(PathBuf, Stat)> = files.map(|it| (it.path, it.stat)).collect();
            Box::new(move |facts, notes| {
                facts.privileged = table;
                notes.credential_files = files;
                notes.walk = Some(walk);
            })
        },
        show: |facts| shown(&facts.privileged),
    },
    TableEntry {
        name: "influences",
        title: "files through which one user can act as another",
        reads: "modes and owners of what units, cron jobs, PATH and the linker name",
        stage: 2,
        needs: &["users", "groups", "units", "cron"],
        look: |host, facts, _| found(influences::look(host, facts), |facts| &mut facts.influences),
        show: |facts| shown(&facts.influences),
    },
    TableEntry {
        name: "cron",
        title: "jobs of cron",
        reads: "/etc/crontab, /etc/cron.*, /var/spool/cron",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(cron::look(host), |facts| &mut facts.cron),
        show: |facts| shown(&facts.cron),
    },
    TableEntry {
        name: "servers",
        title: "database and broker servers, and whether they ask who is there",
        reads: "their configuration, and one harmless greeting to each",
        stage: 3,
        needs: &["processes", "listeners", "users"],
        look: |host, facts, _| found(servers::look(host, facts), |facts| &mut facts.servers),
        show: |facts| shown(&facts.servers),
    },
    TableEntry {
        name: "credentials",
        title: "credentials lying in files: place, class, readers; never the value",
        reads: "files that the walk finds by their name, usual configuration",
        stage: 2,
        needs: &["users", "groups", "privileged"],
        look: |host, facts, notes| {
            let walk = notes.walk.clone().unwrap_or(Coverage::Complete);
            let table = credentials::look(host, facts, &notes.credential_files, walk);
            found(table, |facts| &mut facts.credentials)
        },
        show: |facts| shown(&facts.credentials),
    },
    TableEntry {
        name: "mounts",
        title: "mounted file systems",
        reads: "/proc/self/mounts",
        stage: 1,
        needs: &[],
        look: |host, _, _| found(mounts::look(host), |facts| &mut facts.mounts),
        show: |facts| shown(&facts.mounts),
    },
    TableEntry {
        name: "flaws",
        title: "known flaws of what is installed",
        reads: "the feeds imported by `polder feed`",
        stage: STAGES,
        needs: &["system", "packages", "indices", "candidates"],
        // Feeds are Polder's own; whoever has them matches them with the tables above.
        look: nothing,
        show: |facts| with_fields(shown(&facts.flaws), &["fixed", "from", "state", "because"]),
    },
    TableEntry {
        name: "file-changes",
        title: "files that are not as the baseline says",
        reads: "what `polder watch` and `polder baseline check` told last",
        stage: STAGES,
        needs: &[],
        look: nothing,
        show: |facts| shown(&facts.file_changes),
    },
    TableEntry {
        name: "database-accounts",
        title: "what accounts of databases may do, and do not need",
        reads: "what `polder access` saw last",
        stage: STAGES,
        needs: &[],
        look: nothing,
        show: |facts| shown(&facts.database_accounts),
    },
    TableEntry {
        name: "vendors",
        title: "how often each source package needed a fix in two years",
        reads: "the feeds imported by `polder feed`",
        stage: STAGES,
        needs: &["system", "packages", "indices", "candidates", "upgrades"],
        look: nothing,
        show: |facts| shown(&facts.vendors),
    },
    TableEntry {
        name: "backups",
        title: "backups, as far as configuration and jobs tell",
        reads: "cron jobs, units, configuration of borgmatic and rsnapshot",
        stage: 2,
        needs: &["cron", "units", "processes"],
        look: |host, facts, _| found(backups::look(host, facts), |facts| &mut facts.backups),
        show: |facts| shown(&facts.backups),
    },
    TableEntry {
        name: "watchers",
        title: "what watches this host",
        reads: "processes, timers, jobs, /etc/rsyslog*",
        stage: 2,
        needs: &["processes", "units", "cron"],
        look: |host, facts, _| found(watchers::look(host, facts), |facts| &mut facts.watchers),
        show: |facts| shown(&facts.watchers),
    },
];

fn found<T: Send + 'static>(
    table: Table<T>,
    place: impl Fn(&mut Facts) -> &mut Table<T> + Send + 'static,
) -> Found {
    Box::new(move |facts, _| *place(facts) = table)
}

/// Looks at everything. `progress` is told the title of each table that is done.
pub fn look(host: &dyn Host, progress: &(dyn Fn(&str) + Sync)) -> Facts {
    let names: BTreeSet<&str> = TABLES.iter().map(|table| table.name).collect();
    look_at(host, &names, progress)
}

/// Looks at one table and those it is made from.
pub fn look_only(host: &dyn Host, name: &str, progress: &(dyn Fn(&str) + Sync)) -> Facts {
    let mut names = BTreeSet::from([name]);
    // Where a version comes from stands in the indices.
    if name == "packages" {
        names.insert("indices");
    }
    // Later tables need earlier ones only, so one pass for each stage finds all.
    for _ in 1..=STAGES {
        let more: Vec<&str> = TABLES
            .iter()
            .filter(|table| names.contains(table.name))
            .flat_map(|table| table.needs.iter().copied())
            .collect();
        names.extend(more);
    }
    look_at(host, &names, progress)
}

fn look_at(host: &dyn Host, names: &BTreeSet<&str>, progress: &(dyn Fn(&str) + Sync)) -> Facts {
    let identity = host.identity();
    let mut facts =
        Facts { taken: Timestamp(identity.now), looker_uid: identity.uid, ..Facts::default() };
    let mut notes = Notes::default();
    for stage in 1..=STAGES {
        let found: Vec<Found> = TABLES
            .par_iter()
            .filter(|table| table.stage == stage && names.contains(table.name))
            .map(|table| {
                let found = (table.look)(host, &facts, &notes);
                progress(table.title);
                found
            })
            .collect();
        for change in found {
            change(&mut facts, &mut notes);
        }
    }
    if names.contains("privileged") || names.contains("listeners") {
        own(host, &mut facts);
    }
    facts
}

/// Looks up which package owns every path that matters, in one search.
fn own(host: &dyn Host, facts: &mut Facts) {
    let mut paths = BTreeSet::new();
    paths.extend(facts.privileged.rows.iter().map(|row| row.path.clone()));
    for process in &facts.processes.rows {
        paths.extend(process.executable.clone());
        paths.extend(process.script.clone());
        paths.extend(process.mapped.iter().cloned());
    }
    paths.extend(facts.credentials.rows.iter().map(|row| row.path.clone()));
    let (owners, coverage) = match host.owners(&paths) {
        Ok(owners) if owners.unknown.is_empty() => (owners, Coverage::Complete),
        Ok(owners) => {
            let because = format!("the owners of {} paths are not known", owners.unknown.len());
            (owners, Coverage::partial(because))
        }
        Err(error) => {
            let owners = polder_host::Owners { unknown: paths, ..polder_host::Owners::default() };
            (owners, Coverage::not_looked(error.to_string()))
        }
    };
    for row in &mut facts.privileged.rows {
        row.package = owners.owned.get(&row.path).cloned();
        row.package_known = !owners.unknown.contains(&row.path);
    }
    for row in &mut facts.listeners.rows {
        let process = row
            .pids
            .first()
            .and_then(|pid| facts.processes.rows.iter().find(|process| process.pid == *pid));
        let executable = process.and_then(|it| it.executable.as_ref());
        row.package = executable.and_then(|it| owners.owned.get(it).cloned());
    }
    facts.owners = owners.owned;
    facts.owners_coverage = OwnersCoverage(coverage);
    interpreted::note_older_modules(host, facts);
}
