//! Operating system, kernel, boot and clock.

use crate::reading::{files_in, text, text_if_there};
use polder_host::{Host, Kind};
use polder_model::facts::System;
use polder_model::version::deb;
use polder_model::{Coverage, Table, Timestamp, printable_str};
use std::path::Path;

/// Looks at os-release, the kernel's own files and what keeps the clock.
pub(crate) fn look(host: &dyn Host) -> Table<System> {
    let mut system = System::default();
    let mut missing = Vec::new();
    match text(host, "/etc/os-release").or_else(|_| text(host, "/usr/lib/os-release")) {
        Ok(text) => parse_os_release(&text, &mut system),
        Err(error) => missing.push(error.to_string()),
    }
    let line = |path: &str| {
        text(host, path).ok().map(|it| printable_str(it.trim())).filter(|it| !it.is_empty())
    };
    let host_name = line("/proc/sys/kernel/hostname").or_else(|| line("/etc/hostname"));
    system.host_name = host_name.unwrap_or_default();
    let running = host.identity().running;
    if running {
        system.kernel_release = line("/proc/sys/kernel/osrelease").unwrap_or_default();
        system.kernel_version = line("/proc/sys/kernel/version").unwrap_or_default();
        system.init = line("/proc/1/comm").unwrap_or_default();
        system.booted = text(host, "/proc/stat").ok().and_then(|text| parse_boot_time(&text));
        if system.kernel_release.is_empty() {
            missing.push("the kernel's files under `/proc/sys/kernel` cannot be read".into());
        }
        system.proc_hidden =
            text(host, "/proc/self/mounts").is_ok_and(|text| hides_processes(&text));
    }
    system.kernels_installed = kernels(host);
    system.microcode = running.then(|| crate::microcode::look(host)).flatten();
    system.clock_kept_by = clock_keeper(host);
    if let Ok(Some(text)) = text_if_there(host, "/run/reboot-required.pkgs") {
        system.reboot_required_by = text.lines().map(printable_str).collect();
        system.reboot_required_by.dedup();
    } else if host.stat("/run/reboot-required".as_ref()).is_ok() {
        system.reboot_required_by.push("a package".into());
    }
    system.support_ends = support_end(&system.os_id, &system.os_version).map(str::to_string);
    system.container = container(host);
    system.automatic_updates = automatic_updates(host);
    let coverage = match missing.is_empty() {
        true => Coverage::Complete,
        false => Coverage::partial(missing.join("; ")),
    };
    Table::with(coverage, vec![system])
}

/// Reads `NAME=value` lines, values optionally quoted (os-release(5)).
pub fn parse_os_release(text: &str, system: &mut System) {
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        let value = printable_str(value.trim().trim_matches(['"', '\'']));
        match name.trim() {
            "ID" => system.os_id = value,
            "PRETTY_NAME" => system.os_name = value,
            "VERSION_ID" => system.os_version = value,
            "VERSION_CODENAME" => system.os_codename = value,
            _ => {}
        }
    }
}

/// The line `btime` of `/proc/stat` (proc_stat(5)).
pub(crate) fn parse_boot_time(text: &str) -> Option<Timestamp> {
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok().map(Timestamp)
}

/// Whether `/proc` is mounted with `hidepid`.
fn hides_processes(mounts: &str) -> bool {
    mounts.lines().any(|line| {
        let mut words = line.split(' ').skip(1);
        words.next() == Some("/proc")
            && words.nth(1).is_some_and(|options| {
                options.split(',').any(|it| {
                    it.starts_with("hidepid=") && !it.ends_with("=0") && !it.ends_with("=off")
                })
            })
    })
}

/// Kernel images under `/boot`, by release.
fn kernels(host: &dyn Host) -> Vec<String> {
    let images = files_in(host, "/boot", |name| name.starts_with("vmlinuz-")).unwrap_or_default();
    let mut releases: Vec<String> = images
        .iter()
        .filter_map(|path| path.file_name()?.to_str()?.strip_prefix("vmlinuz-"))
        .map(printable_str)
        .collect();
    // Images to rescue with are no release.
    releases.retain(|it| !it.starts_with("0-rescue"));
    releases.sort_by(|a, b| deb::compare(a, b));
    releases
}

/// Programs that keep the clock right, by the name of a running process.
const CLOCK_KEEPERS: [&str; 5] = ["chronyd", "ntpd", "systemd-timesyn", "openntpd", "ptp4l"];

fn clock_keeper(host: &dyn Host) -> Option<String> {
    if !host.identity().running {
        return None;
    }
    let entries = host.list("/proc".as_ref()).ok()?;
    entries
        .iter()
        .filter(|entry| entry.kind == Kind::Folder)
        .filter_map(|entry| entry.name.to_str())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|pid| text(host, format!("/proc/{pid}/comm")).ok())
        .map(|name| name.trim().to_string())
        .find(|name| CLOCK_KEEPERS.contains(&name.as_str()))
}

/// Last day of security support by the vendors' published life cycles (looked up 2026-11-22).
///
/// Debian: wiki.debian.org/DebianReleases, LTS included. Ubuntu: releases without ESM.
fn support_end(id: &str, version: &str) -> Option<&'static str> {
    // Rebuilds of Red Hat's releases name the minor version, too; Alpine the patch level.
    let major = version.split('.').next().unwrap_or_default();
    let minor = version
        .match_indices('.')
        .nth(1)
        .map_or(version, |(at, _)| version.get(..at).unwrap_or(version));
    let version = match id {
        "rhel" | "almalinux" | "rocky" | "centos" | "ol" => major,
        "alpine" => minor,
        _ => version,
    };
    let end = match (id, version) {
        ("debian", "9") => "2022-06-30",
        ("debian", "10") => "2024-06-30",
        ("debian", "11") => "2026-08-31",
        ("debian", "12") => "2028-06-30",
        ("debian", "13") => "2030-06-30",
        ("ubuntu", "16.04") => "2021-04-30",
        ("ubuntu", "18.04") => "2023-05-31",
        ("ubuntu", "20.04") => "2025-05-31",
        ("ubuntu", "22.04") => "2027-04-30",
        ("ubuntu", "24.04") => "2029-05-31",
        ("centos" | "rhel", "7") => "2024-06-30",
        ("centos", "8") => "2024-05-31",
        ("centos", "9") => "2027-05-31",
        ("rhel" | "rocky", "8") => "2029-05-31",
        ("rhel" | "rocky" | "almalinux", "9") => "2032-05-31",
        ("almalinux", "8") => "2029-03-01",
        ("amzn", "2") => "2026-06-30",
        ("alpine", "3.17") => "2024-11-22",
        ("alpine", "3.18") => "2025-05-09",
        ("alpine", "3.19") => "2025-11-01",
        ("alpine", "3.20") => "2026-04-01",
        ("alpine", "3.21") => "2026-11-01",
        ("alpine", "3.22") => "2027-05-01",
        _ => return None,
    };
    Some(end)
}

/// The setting that installs updates by itself, where what obeys it is there.
fn automatic_updates(host: &dyn Host) -> Option<String> {
    automatic_with_dnf(host).or_else(|| automatic_with_apt(host))
}

/// A timer of dnf-automatic that installs: by its own name, or by `apply_updates`.
fn automatic_with_dnf(host: &dyn Host) -> Option<String> {
    const CONFIG: &str = "/etc/dnf/automatic.conf";
    let wants = Path::new("/etc/systemd/system/timers.target.wants");
    let has = |name: &str| host.stat_link(&wants.join(name)).is_ok();
    if has("dnf-automatic-install.timer") {
        return Some(crate::reading::shown(&wants.join("dnf-automatic-install.timer")));
    }
    let is_timed = ["dnf-automatic.timer", "dnf5-automatic.timer"].into_iter().any(has);
    let text = text_if_there(host, CONFIG).ok().flatten().filter(|_| is_timed)?;
    let applies = crate::rpm::setting(&text, "commands", "apply_updates")?;
    crate::rpm::is_on(applies).then(|| CONFIG.to_string())
}

/// `APT::Periodic::Unattended-Upgrade` when it is on and the package that obeys it is there.
fn automatic_with_apt(host: &dyn Host) -> Option<String> {
    host.stat("/usr/bin/unattended-upgrade".as_ref()).ok()?;
    let files = files_in(host, "/etc/apt/apt.conf.d", |_| true).ok()?;
    let mut found = None;
    for path in files {
        let Ok(text) = text(host, &path) else { continue };
        for line in text.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("APT::Periodic::Unattended-Upgrade") {
                let days = rest.trim().trim_end_matches(';').trim_matches('"');
                found = (days != "0").then(|| crate::reading::shown(&path));
            }
        }
    }
    found
}

fn container(host: &dyn Host) -> Option<String> {
    [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")]
        .iter()
        .find(|(path, _)| host.stat(path.as_ref()).is_ok())
        .map(|(_, name)| (*name).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_values_may_be_quoted() {
        let mut system = System::default();
        parse_os_release("ID=debian\nPRETTY_NAME=\"Debian 12\"\n=x\n", &mut system);
        assert_eq!((system.os_id.as_str(), system.os_name.as_str()), ("debian", "Debian 12"));
    }

    #[test]
    fn hidepid_is_seen() {
        assert!(hides_processes("proc /proc proc rw,hidepid=invisible 0 0\n"));
        assert!(!hides_processes("proc /proc proc rw,hidepid=0 0 0\n"));
    }
}
