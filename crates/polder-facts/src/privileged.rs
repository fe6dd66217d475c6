//! SUID and SGID files and file capabilities.

use crate::reading::shown;
use polder_host::{HostError, Sweep, SweepReason};
use polder_model::facts::{FileSecurity, Privileged};
use polder_model::{Coverage, Table};

/// Names of capabilities by their number (linux/capability.h).
pub(crate) const CAPABILITIES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

/// How well the walk covered the disk.
pub(crate) fn coverage(sweep: &Result<Sweep, HostError>) -> Coverage {
    let sweep = match sweep {
        Ok(sweep) => sweep,
        Err(error) => return crate::reading::not_looked(error, "the walk of the file systems"),
    };
    if let Some(cut) = &sweep.cut {
        return Coverage::partial(format!("the walk ended early: {cut}"));
    }
    if sweep.denied_count > 0 {
        let first = sweep.denied.first().map(|path| shown(path)).unwrap_or_default();
        return Coverage::needs_root(
            format!("{} folders cannot be read, such as `{first}`", sweep.denied_count),
            "the files in them",
        );
    }
    if let Some((path, because)) = sweep.left_out.first() {
        return Coverage::partial(format!("`{}` was left out: {because}", shown(path)));
    }
    Coverage::Complete
}

/// Files with privileges among those the walk kept; packages are filled in later.
pub(crate) fn from_sweep(sweep: &Result<Sweep, HostError>) -> Table<Privileged> {
    let entries = sweep.as_ref().map_or(&[][..], |sweep| sweep.entries.as_slice());
    let rows = entries
        .iter()
        .filter(|entry| entry.reason == SweepReason::Privileged)
        .map(|entry| Privileged {
            path: shown(&entry.path),
            security: FileSecurity {
                mode: entry.stat.mode,
                uid: entry.stat.uid,
                gid: entry.stat.gid,
            },
            capabilities: entry.capability.as_deref().map(parse_capability),
            package: None,
            package_known: false,
        })
        .collect();
    Table::with(coverage(sweep), rows)
}

/// Writes `struct vfs_cap_data` as `getcap` does: names, then `=` and the sets.
pub fn parse_capability(bytes: &[u8]) -> String {
    let word = |at: usize| {
        let bytes: Option<[u8; 4]> = bytes.get(at..at + 4).and_then(|it| it.try_into().ok());
        bytes.map(u32::from_le_bytes)
    };
    let (Some(magic), Some(permitted), Some(inheritable)) = (word(0), word(4), word(8)) else {
        return "a capability attribute that is cut short".into();
    };
    let high = |at| u64::from(word(at).unwrap_or(0)) << 32;
    let permitted = u64::from(permitted) | high(12);
    let inheritable = u64::from(inheritable) | high(16);
    let effective = magic & 1 == 1;
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (index, name) in CAPABILITIES.iter().enumerate() {
        let (p, i) = (permitted >> index & 1 == 1, inheritable >> index & 1 == 1);
        if !p && !i {
            continue;
        }
        let flags: String = [(effective && (p || i), 'e'), (i, 'i'), (p, 'p')]
            .into_iter()
            .filter_map(|(set, letter)| set.then_some(letter))
            .collect();
        match groups.iter_mut().find(|(it, _)| *it == flags) {
            Some((_, names)) => names.push(name),
            None => groups.push((flags, vec![name])),
        }
    }
    let parts: Vec<String> =
        groups.iter().map(|(flags, names)| format!("{}={flags}", names.join(","))).collect();
    if parts.is_empty() { "=".into() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_is_written_as_getcap_does() {
        let mut bytes = vec![1, 0, 0, 2, 0, 0x20, 0, 0];
        bytes.extend([0; 12]);
        assert_eq!(parse_capability(&bytes), "cap_net_raw=ep");
        assert_eq!(parse_capability(&[1, 2]), "a capability attribute that is cut short");
    }
}
