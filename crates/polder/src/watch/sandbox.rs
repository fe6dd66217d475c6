//! What the watch gives up before it begins: rights it does not need, and the right to write anywhere but where
//! its own state lies.

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};
use std::collections::BTreeMap;
use std::path::Path;

/// What is kept: file system marks and the tables of devices (SYS_ADMIN), reading past the rights of files
/// (DAC_READ_SEARCH) without a trace (FOWNER), the table of processes (NET_ADMIN, SYS_PTRACE).
const KEPT: CapabilitySet = CapabilitySet::SYS_ADMIN
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::NET_ADMIN)
    .union(CapabilitySet::SYS_PTRACE);

/// Calls that none of its work takes, and that would make much of the rights that are kept: to mount and to
/// enter namespaces, to write into other processes, to load code into the kernel, to set the clock.
const REFUSED: [libc::c_long; 41] = [
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_quotactl,
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    libc::SYS_fspick,
    libc::SYS_fsconfig,
    libc::SYS_kexec_file_load,
    libc::SYS_quotactl_fd,
    libc::SYS_setdomainname,
    // It makes calls that no filter sees.
    libc::SYS_io_uring_setup,
];

/// Flags of clone(2) that enter new namespaces.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWCGROUP,
];

/// How far what judges stands back (nice(1)): measured, a change under full load is told within a second all
/// the same.
const NICE: i32 = 5;

/// What holds the watch, and what could not be had.
pub(crate) struct Confined {
    pub(crate) held: Vec<String>,
    pub(crate) missing: Vec<String>,
}

/// Confines this thread and all that it will make: those that judge, read content and deliver. Those of the
/// watcher are there before, since Landlock keeps whoever has it from looking into other processes.
pub(crate) fn confine(state: &Path) -> Confined {
    let mut it = Confined { held: Vec::new(), missing: Vec::new() };
    // What judges gives way to the work of the host; what takes notes began before, and does not.
    let _ = rustix::process::setpriority_process(None, NICE);
    let mut note = |what: &str, done: Result<(), String>| match done {
        Ok(()) => it.held.push(what.to_string()),
        Err(because) => it.missing.push(format!("{what}: {because}")),
    };
    let done = rustix::thread::set_no_new_privs(true).map_err(|error| error.to_string());
    note("no program it starts gains rights", done);
    note("writes nowhere but below its own state (Landlock)", landlock(state));
    note("five capabilities instead of all", capabilities());
    note(
        "mounts nothing, enters no namespace and no other process, leaves kernel and clock alone (seccomp)",
        seccomp(),
    );
    it
}

fn landlock(state: &Path) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    // Reading is its work; only what changes files is handled, so nothing else is refused.
    let writes = AccessFs::from_write(ABI::V3);
    let folder = PathFd::new(state).map_err(|error| failed(&error))?;
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writes)
        .and_then(Ruleset::create)
        .map_err(|error| failed(&error))?;
    // What programs say that nobody reads goes there: `gpgv` is one.
    let null = PathFd::new("/dev/null").map_err(|error| failed(&error))?;
    let status = rules
        .add_rule(PathBeneath::new(folder, writes))
        .and_then(|it| it.add_rule(PathBeneath::new(null, AccessFs::WriteFile)))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(|error| failed(&error))?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => {
            Err("this kernel does not have it, or has it switched off".into())
        }
    }
}

fn capabilities() -> Result<(), String> {
    let now = rustix::thread::capabilities(None).map_err(|error| error.to_string())?;
    let kept = now.permitted.intersection(KEPT);
    for capability in CapabilitySet::all().difference(kept).iter() {
        // Where it may not be taken from the bounds, it cannot be had again either: no new privileges.
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let sets =
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).map_err(|error| error.to_string())
}

/// Refuses the calls of [`REFUSED`], and new namespaces, with EPERM, as for who lacks the right.
fn seccomp() -> Result<(), String> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().map(|it| (*it, Vec::new())).collect();
    let with = |flag: libc::c_int| {
        let flag = u64::from(flag.unsigned_abs());
        let masked = SeccompCmpOp::MaskedEq(flag);
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, masked, flag)?;
        SeccompRule::new(vec![condition])
    };
    let namespaces: Result<Vec<SeccompRule>, _> = NAMESPACES.iter().map(|it| with(*it)).collect();
    rules.insert(libc::SYS_clone, namespaces.map_err(|it| it.to_string())?);
    filter(rules, libc::EPERM)?;
    // Its flags lie in memory, where no filter looks; without it clone(2) is used.
    filter(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)
}

fn filter(rules: BTreeMap<i64, Vec<SeccompRule>>, error: libc::c_int) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|it| failed(&it))?;
    let refuse = SeccompAction::Errno(error.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, architecture)
        .and_then(seccompiler::BpfProgram::try_from)
        .map_err(|it| failed(&it))?;
    apply_filter(&filter).map_err(|it| failed(&it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn what_is_confined_reads_runs_what_verifies_and_writes_nowhere_else() {
        let state = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (own, other) = (state.path().join("x"), elsewhere.path().join("x"));
        // Confinement is of a thread: the others of this test stay as they are.
        let thread = std::thread::spawn(move || {
            let confined = confine(state.path());
            let holds = |word: &str| confined.held.iter().any(|it| it.contains(word));
            assert!(std::fs::write(&own, "x").is_ok());
            // `gpgv` is run with its words thrown away: that opens `/dev/null` for writing.
            let ran =
                Command::new("/bin/true").stdout(Stdio::null()).stderr(Stdio::null()).status();
            assert!(ran.is_ok_and(|it| it.success()));
            if holds("Landlock") {
                assert!(std::fs::write(&other, "x").is_err());
            }
            assert!(std::fs::read("/etc/passwd").is_ok());
            if holds("seccomp") {
                // The right to do so is kept, and so the program would have it.
                let entered = Command::new("unshare").args(["--mount", "true"]).status();
                assert!(entered.is_ok_and(|it| !it.success()));
            }
        });
        thread.join().unwrap();
    }
}
