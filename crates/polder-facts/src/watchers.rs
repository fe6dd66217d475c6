//! What watches this host at all, and whether its word leaves the host.

use crate::reading::{files_in, shown, text};
use polder_host::Host;
use polder_model::facts::{Facts, Watcher};
use polder_model::{Coverage, Table, printable_str};

/// Daemons by the name of their process: what they are, what they watch, whether they report elsewhere.
const DAEMONS: [(&str, &str, &str, bool); 26] = [
    ("auditd", "auditd", "audit", false),
    ("fail2ban-server", "fail2ban", "brute-force", false),
    ("crowdsec", "crowdsec", "brute-force", false),
    ("sshguard", "sshguard", "brute-force", false),
    ("wazuh-agentd", "wazuh", "integrity", true),
    ("ossec-agentd", "ossec", "integrity", true),
    ("wazuh-syscheckd", "wazuh", "integrity", true),
    ("samhain", "samhain", "integrity", false),
    ("osqueryd", "osquery", "audit", true),
    ("falco", "falco", "audit", false),
    ("suricata", "suricata", "network", false),
    ("zabbix_agentd", "zabbix-agent", "availability", true),
    ("zabbix_agent2", "zabbix-agent", "availability", true),
    ("nrpe", "nrpe", "availability", true),
    ("munin-node", "munin-node", "availability", true),
    ("prometheus-nod", "node-exporter", "availability", true),
    ("node_exporter", "node-exporter", "availability", true),
    ("telegraf", "telegraf", "availability", true),
    ("netdata", "netdata", "availability", false),
    ("monit", "monit", "availability", false),
    ("filebeat", "filebeat", "remote-log", true),
    ("fluent-bit", "fluent-bit", "remote-log", true),
    ("vector", "vector", "remote-log", true),
    ("promtail", "promtail", "remote-log", true),
    ("systemd-journal-u", "journal-upload", "remote-log", true),
    ("polder-watch", "polder-watch", "integrity", false),
];

/// Checks that run from time to time: a path of a job or unit, what it is, what it watches.
const SCHEDULED: [(&str, &str, &str); 7] = [
    ("polder baseline check", "polder", "integrity"),
    ("aide", "aide", "integrity"),
    ("tripwire", "tripwire", "integrity"),
    ("debsums", "debsums", "integrity"),
    ("rkhunter", "rkhunter", "integrity"),
    ("chkrootkit", "chkrootkit", "integrity"),
    ("logwatch", "logwatch", "log"),
];

/// Needs processes, units and cron entries.
pub(crate) fn look(host: &dyn Host, facts: &Facts) -> Table<Watcher> {
    let mut rows: Vec<Watcher> = Vec::new();
    for process in &facts.processes.rows {
        let daemon = DAEMONS.iter().find(|(name, ..)| {
            process.name == *name || name.get(..15).is_some_and(|short| process.name == short)
        });
        if let Some((_, name, watches, leaves_host)) = daemon {
            rows.push(watcher(name, watches, *leaves_host, format!("process {}", process.pid)));
        }
    }
    for (word, name, watches) in SCHEDULED {
        let job = facts.cron.rows.iter().find(|it| it.command.contains(word));
        let timer = facts
            .units
            .rows
            .iter()
            .find(|it| it.name.ends_with(".timer") && it.name.contains(word) && it.enabled);
        if let Some(job) = job {
            rows.push(watcher(name, watches, false, job.file.clone()));
        } else if let Some(timer) = timer {
            rows.push(watcher(name, watches, false, timer.name.clone()));
        }
    }
    rows.extend(remote_syslog(host));
    rows.extend(log_retention(host));
    rows.sort_by(|a, b| (&a.name, &a.known_from).cmp(&(&b.name, &b.known_from)));
    rows.dedup_by(|a, b| a.name == b.name);
    let coverage = match &facts.processes.coverage {
        Coverage::NotLooked { because, root_adds } => {
            Coverage::Partial { because: because.clone(), root_adds: root_adds.clone() }
        }
        Coverage::NotApplicable { because } => Coverage::partial(because.clone()),
        _ => Coverage::Complete,
    };
    Table::with(coverage, rows)
}

fn watcher(name: &str, watches: &str, leaves_host: bool, known_from: String) -> Watcher {
    Watcher {
        name: name.into(),
        watches: watches.into(),
        active: Some(true),
        leaves_host,
        known_from,
    }
}

/// `*.* @host`, `@@host` or `omfwd` in the configuration of rsyslog; `network(...)` of syslog-ng.
fn remote_syslog(host: &dyn Host) -> Option<Watcher> {
    let mut files = files_in(host, "/etc/rsyslog.d", |name| name.ends_with(".conf")).ok()?;
    files.push("/etc/rsyslog.conf".into());
    for path in files {
        let Ok(text) = text(host, &path) else { continue };
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let old = line.split_ascii_whitespace().nth(1).is_some_and(|it| it.starts_with('@'));
            if old || line.contains("omfwd") || line.contains("omrelp") {
                let place = format!("{}:{}", shown(&path), index + 1);
                return Some(watcher("remote-syslog", "remote-log", true, place));
            }
        }
    }
    None
}

/// How long logs are kept, where a setting says so.
fn log_retention(host: &dyn Host) -> Option<Watcher> {
    let text = text(host, "/etc/logrotate.conf").ok()?;
    let mut period = None;
    let mut count = None;
    for line in text.lines().map(str::trim) {
        match line.split_once(' ') {
            None if matches!(line, "daily" | "weekly" | "monthly") => period = Some(line),
            Some(("rotate", value)) => count = count.or_else(|| value.trim().parse::<u32>().ok()),
            _ => {}
        }
    }
    let name = format!("logs kept for {} times {}", count?, printable_str(period?));
    Some(Watcher {
        name,
        watches: "log-retention".into(),
        active: None,
        leaves_host: false,
        known_from: "/etc/logrotate.conf".into(),
    })
}
