//! Proposes what would notice.

use crate::estate::{integrity, integrity_sensor, logs, logs_sensor, watching};
use crate::practice::Scene;
use polder_model::{Change, Finding, Op, PackageManager, Range, Treatment, quoted};

/// Compares every hour; cron mails what is printed, and nothing is where nothing differs.
const BASELINE_JOB: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nMAILTO=root\n17 * * * * root polder baseline check --only-changes\n";

/// A daemon that tells of changes as they happen.
fn watch_treatment(scene: &Scene<'_>) -> Treatment {
    let start = match scene.has_systemd() {
        true => {
            "polder watch unit > /etc/systemd/system/polder-watch.service && systemctl daemon-reload && systemctl enable --now polder-watch"
        }
        false => "polder watch --quiet &   # and let whatever starts daemons here start it",
    };
    let (notices, hours) = watching();
    Treatment::new("integrity-watch", "Record what all files are, and tell of changes as they happen", [0.3, 0.8, 2.0])
        .run("polder baseline init")
        .run("polder baseline hook > /etc/apt/apt.conf.d/80polder   # where apt is: upgrades are silent when their archives prove them")
        .decide("Keep root and key, which `polder baseline init` prints, on another machine: a baseline that lies beside what it guards can be replaced with it")
        .decide("Where is it told, and who answers? `[watch]` in /etc/polder/polder.toml: `webhook` or `mail`, and `heartbeat`, whose silence is an alarm")
        .run(start)
        .undo("systemctl disable --now polder-watch && rm /etc/systemd/system/polder-watch.service   # what is in /var/lib/polder may stay")
        .verify("`touch /usr/local/bin/x && polder watch events` names the file, and who made it")
        .may_break("none", "")
        .effect(Op::Notice { sensor: integrity_sensor(), notices, hours })
}

/// One change that lets somebody stay: whose was it?
fn explain(path: &str) -> Treatment {
    let path = quoted(path);
    Treatment::new(format!("explain:{path}"), format!("Find out whose change {path} is, and put it back or accept it"), [0.1, 0.5, 8.0])
        .run(format!("polder baseline check; polder watch events -n 0 | grep -A5 -F -- {path}"))
        .decide("Done on purpose? `polder baseline accept` with its path and a reason takes it into the baseline")
        .decide("Else somebody was here: keep a copy as evidence, put it back, and look for what else they did, on a machine that is not this one")
        .run(format!("polder restore {path}"))
        .undo("polder undo")
        .verify("`polder baseline check` does not name it any more")
        .may_break("low", "what the change was for stops working")
}

/// A unit of systemd that keeps a watch running. It makes no namespace of mounts: what is mounted is a part of
/// what is watched.
pub fn unit(program: &str, flags: &str) -> String {
    format!(
        "[Unit]\n\
         Description=Polder: tells of changed files as they change\n\
         After=local-fs.target\n\n\
         [Service]\n\
         Type=exec\n\
         ExecStart={program} watch --quiet{flags}\n\
         RestartPreventExitStatus=2\n\
         Restart=always\n\
         RestartSec=2\n\
         LimitNOFILE=65536\n\
         CapabilityBoundingSet=CAP_SYS_ADMIN CAP_DAC_READ_SEARCH CAP_FOWNER CAP_NET_ADMIN CAP_SYS_PTRACE CAP_LINUX_IMMUTABLE CAP_SETPCAP CAP_SYS_NICE\n\
         NoNewPrivileges=yes\n\
         MemoryDenyWriteExecute=yes\n\n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}

pub(super) fn treat(finding: &Finding, scene: &Scene<'_>) -> Vec<Treatment> {
    let packages = PackageManager::of(scene.facts);
    let notices = |sensor, (notices, hours): (Range, Range)| Op::Notice { sensor, notices, hours };
    match finding.kind.as_str() {
        "watch/no-integrity" => vec![
            watch_treatment(scene),
            Treatment::new("integrity-check", "Record what all files are, compare every hour, and mail what changed", [0.3, 0.7, 2.0])
                .write("/etc/cron.d/polder-baseline", BASELINE_JOB)
                .run("polder baseline init")
                .decide("Keep root and key, which `polder baseline init` prints, on another machine: a baseline that lies beside what it guards can be replaced with it")
                .undo("rm /etc/cron.d/polder-baseline   # what is in /var/lib/polder/baseline may stay")
                .verify("`touch /usr/local/bin/x && polder baseline check` names the file")
                .may_break("none", "")
                .effect(notices(integrity_sensor(), integrity())),
        ],
        "watch/persistence" => vec![explain(&finding.subject)],
        "watch/changed" => vec![
            Treatment::new("explain-changes", "Say of each changed file whose change it was", [0.2, 1.0, 6.0])
                .run("polder baseline check")
                .decide("What was done on purpose: `polder baseline accept PATH --because ...` takes it into the baseline")
                .decide("What nobody of the house did: `polder restore PATH` puts it back; keep a copy first, it is evidence")
                .undo("polder undo   # of what was restored; an earlier baseline stays with `polder baseline show`")
                .verify("`polder baseline check` tells nothing any more")
                .may_break("low", "a setting that was changed for a reason goes back"),
        ],
        "watch/logs-stay" => vec![
            Treatment::new("remote-log", "Send logs to another machine", [0.5, 1.5, 4.0])
                .decide("Which machine takes the logs, and who reads what it alerts on?")
                .run(packages.install("rsyslog"))
                .write("/etc/rsyslog.d/60-polder-remote.conf", "*.* action(type=\"omfwd\" target=\"LOG_HOST\" port=\"6514\" protocol=\"tcp\" queue.type=\"linkedList\" queue.size=\"50000\")\n")
                .run("rsyslogd -N1 && systemctl restart rsyslog")
                .undo("rm /etc/rsyslog.d/60-polder-remote.conf && systemctl restart rsyslog   # and purge rsyslog if it was not there before")
                .verify("`logger polder-test` appears on the other machine")
                .may_break("low", "logs may hold what must not leave the host")
                .effect(notices(logs_sensor(), logs())),
        ],
        "watch/no-clock" => vec![
            Treatment::new("clock", "Let a time service keep the clock", [0.1, 0.2, 0.5])
                .run(packages.install("chrony"))
                .changing([Change::InstallPackages { names: vec!["chrony".into()] }])
                .undo(packages.remove("chrony"))
                .verify("`chronyc tracking` shows a small offset")
                .may_break("low", "a clock that was wrong jumps once"),
        ],
        _ => Vec::new(),
    }
}
