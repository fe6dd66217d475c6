//! What it means that something changed: surfaces by which an intruder stays, and rights that files give.

use crate::entry::{Entry, Kind};
use crate::policy::segments;

/// How much a change matters, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// A file like others.
    Plain,
    /// Code or settings that a program of this host uses.
    Code,
    /// What decides who gets in, who becomes root, or what runs by itself.
    Stays,
}

/// What a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// How much a change of it matters.
    pub weight: Weight,
    /// What it does, as the end of a sentence that begins with the path.
    pub says: &'static str,
    /// The technique by which intruders use it (ATT&CK), where there is one.
    pub technique: &'static str,
}

/// Paths by pattern, of which `*` stands for any text within a name and `**` for any number of folders.
/// The first that fits is taken.
const SURFACES: &[(&str, Weight, &str, &str)] = &[
    (
        "/etc/ld.so.preload",
        Weight::Stays,
        "every program loads the libraries it names",
        "T1574.006",
    ),
    ("/etc/ld.so.conf", Weight::Stays, "tells every program where its libraries are", "T1574.006"),
    (
        "/etc/ld.so.conf.d/**",
        Weight::Stays,
        "tells every program where its libraries are",
        "T1574.006",
    ),
    ("/etc/ld.so.cache", Weight::Code, "tells every program where its libraries are", "T1574.006"),
    ("/etc/crontab", Weight::Stays, "runs commands at set times as any user", "T1053.003"),
    ("/etc/anacrontab", Weight::Stays, "runs commands at set times as root", "T1053.003"),
    ("/etc/cron.*/**", Weight::Stays, "runs commands at set times as root", "T1053.003"),
    ("/etc/crontabs/**", Weight::Stays, "runs commands at set times as its user", "T1053.003"),
    ("/etc/periodic/**", Weight::Stays, "runs commands at set times as root", "T1053.003"),
    ("/var/spool/cron/**", Weight::Stays, "runs commands at set times as its user", "T1053.003"),
    ("/var/spool/at/**", Weight::Stays, "runs commands once at a set time", "T1053.002"),
    ("/etc/systemd/**", Weight::Stays, "starts services or sets how they run", "T1543.002"),
    (
        "/usr/lib/systemd/*-generators/**",
        Weight::Stays,
        "is run by systemd at each start, as root",
        "T1543.002",
    ),
    (
        "/usr/local/lib/systemd/**",
        Weight::Stays,
        "starts services or sets how they run",
        "T1543.002",
    ),
    (
        "/usr/lib/systemd/system/**",
        Weight::Stays,
        "starts services or sets how they run",
        "T1543.002",
    ),
    ("/lib/systemd/system/**", Weight::Stays, "starts services or sets how they run", "T1543.002"),
    ("/**/.config/systemd/**", Weight::Stays, "starts services of its user", "T1543.002"),
    (
        "/var/lib/systemd/linger/*",
        Weight::Stays,
        "lets services of a user run without a login",
        "T1543.002",
    ),
    ("/etc/init.d/*", Weight::Stays, "is run as root when the system starts", "T1037.004"),
    ("/etc/rc*.d/*", Weight::Stays, "is run as root when the system starts", "T1037.004"),
    ("/etc/rc.local", Weight::Stays, "is run as root when the system starts", "T1037.004"),
    ("/etc/inittab", Weight::Stays, "says what runs when the system starts", "T1037.004"),
    ("/etc/local.d/*", Weight::Stays, "is run as root when the system starts", "T1037.004"),
    ("/etc/pam.d/**", Weight::Stays, "decides who may log in, and how", "T1556.003"),
    ("/etc/pam.conf", Weight::Stays, "decides who may log in, and how", "T1556.003"),
    (
        "/etc/security/**",
        Weight::Stays,
        "decides who may log in, and with which rights",
        "T1556.003",
    ),
    (
        "/**/security/pam_*",
        Weight::Stays,
        "sees every password and decides who may log in",
        "T1556.003",
    ),
    ("/etc/nsswitch.conf", Weight::Stays, "says where users and hosts are looked up", "T1556"),
    ("/etc/sudoers", Weight::Stays, "decides who may become root", "T1548.003"),
    ("/etc/sudoers.d/**", Weight::Stays, "decides who may become root", "T1548.003"),
    ("/etc/sudo.conf", Weight::Stays, "decides how `sudo` decides", "T1548.003"),
    ("/etc/doas.*", Weight::Stays, "decides who may become root", "T1548.003"),
    ("/etc/polkit-1/**", Weight::Stays, "decides who may act as root", "T1548"),
    ("/usr/share/polkit-1/**", Weight::Stays, "decides who may act as root", "T1548"),
    ("/etc/passwd*", Weight::Stays, "lists the users and what runs when they log in", "T1136.001"),
    ("/etc/shadow*", Weight::Stays, "holds the passwords of all users", "T1098"),
    ("/etc/group*", Weight::Stays, "says who belongs to which group", "T1098"),
    ("/etc/gshadow*", Weight::Stays, "says who belongs to which group", "T1098"),
    ("/etc/subuid*", Weight::Stays, "says which user ids a user may take", "T1098"),
    ("/etc/subgid*", Weight::Stays, "says which group ids a user may take", "T1098"),
    ("/**/.ssh/authorized_keys*", Weight::Stays, "decides who may log in as its user", "T1098.004"),
    ("/**/.ssh/**", Weight::Stays, "decides how its user logs in here and elsewhere", "T1098.004"),
    ("/etc/ssh/**", Weight::Stays, "decides who may log in over the network", "T1098.004"),
    ("/**/.rhosts", Weight::Stays, "lets others log in without a password", "T1098"),
    ("/**/.shosts", Weight::Stays, "lets others log in without a password", "T1098"),
    ("/etc/profile", Weight::Stays, "is run by every shell that somebody logs in to", "T1546.004"),
    (
        "/etc/profile.d/**",
        Weight::Stays,
        "is run by every shell that somebody logs in to",
        "T1546.004",
    ),
    ("/etc/bash*", Weight::Stays, "is run by every shell", "T1546.004"),
    ("/etc/zsh/**", Weight::Stays, "is run by every shell", "T1546.004"),
    ("/etc/environment", Weight::Stays, "sets what every program of a login gets", "T1546.004"),
    ("/etc/skel/**", Weight::Code, "becomes part of each new home", "T1546.004"),
    ("/**/.bash*", Weight::Stays, "is run by every shell of its user", "T1546.004"),
    ("/**/.profile", Weight::Stays, "is run when its user logs in", "T1546.004"),
    ("/**/.zsh*", Weight::Stays, "is run by every shell of its user", "T1546.004"),
    ("/**/.pam_environment", Weight::Stays, "sets what programs of its user get", "T1546.004"),
    ("/**/.config/autostart/**", Weight::Stays, "is run when its user logs in", "T1547.013"),
    ("/etc/xdg/autostart/**", Weight::Stays, "is run when somebody logs in", "T1547.013"),
    ("/etc/update-motd.d/**", Weight::Stays, "is run as root at each login", "T1546.004"),
    ("/etc/udev/**", Weight::Stays, "runs programs as root when devices come", "T1546.017"),
    ("/usr/lib/udev/**", Weight::Stays, "runs programs as root when devices come", "T1546.017"),
    ("/etc/modules", Weight::Stays, "loads code into the kernel at each start", "T1547.006"),
    (
        "/etc/modules-load.d/**",
        Weight::Stays,
        "loads code into the kernel at each start",
        "T1547.006",
    ),
    (
        "/etc/modprobe.d/**",
        Weight::Stays,
        "decides which code the kernel loads, and how",
        "T1547.006",
    ),
    ("/lib/modules/**", Weight::Stays, "is code the kernel may load", "T1547.006"),
    ("/usr/lib/modules/**", Weight::Stays, "is code the kernel may load", "T1547.006"),
    ("/boot/**", Weight::Stays, "is what the system starts from", "T1542.003"),
    ("/efi/**", Weight::Stays, "is what the system starts from", "T1542.003"),
    ("/etc/default/grub*", Weight::Stays, "sets what the kernel is started with", "T1542.003"),
    ("/etc/grub.d/**", Weight::Stays, "sets what the kernel is started with", "T1542.003"),
    (
        "/etc/initramfs-tools/**",
        Weight::Stays,
        "becomes part of what the system starts from",
        "T1542.003",
    ),
    ("/etc/kernel/**", Weight::Stays, "is run as root when a kernel is installed", "T1542.003"),
    (
        "/etc/dracut.conf.d/**",
        Weight::Stays,
        "becomes part of what the system starts from",
        "T1542.003",
    ),
    (
        "/etc/apt/**",
        Weight::Stays,
        "decides what is installed, from where, and what runs then",
        "T1546.016",
    ),
    ("/etc/dpkg/**", Weight::Stays, "decides how packages are installed", "T1546.016"),
    (
        "/var/lib/dpkg/info/*",
        Weight::Stays,
        "is what dpkg believes of a package, or runs as root for it",
        "T1546.016",
    ),
    ("/var/lib/dpkg/*", Weight::Code, "is what dpkg believes to be installed", "T1070"),
    ("/etc/yum*/**", Weight::Stays, "decides what is installed, and from where", "T1546.016"),
    ("/etc/dnf/**", Weight::Stays, "decides what is installed, and from where", "T1546.016"),
    ("/etc/apk/**", Weight::Stays, "decides what is installed, and from where", "T1546.016"),
    ("/usr/share/keyrings/**", Weight::Stays, "decides whose packages are trusted", "T1553.004"),
    ("/etc/ssl/**", Weight::Stays, "decides which certificates are trusted", "T1553.004"),
    (
        "/usr/local/share/ca-certificates/**",
        Weight::Stays,
        "decides which certificates are trusted",
        "T1553.004",
    ),
    ("/etc/pki/**", Weight::Stays, "decides which certificates are trusted", "T1553.004"),
    ("/etc/alternatives/*", Weight::Code, "decides which program a name stands for", "T1574"),
    (
        "/etc/NetworkManager/dispatcher.d/**",
        Weight::Stays,
        "is run as root when the network changes",
        "T1546",
    ),
    ("/etc/network/**", Weight::Stays, "is run as root when the network changes", "T1546"),
    (
        "/etc/networkd-dispatcher/**",
        Weight::Stays,
        "is run as root when the network changes",
        "T1546",
    ),
    ("/etc/dhcp/**", Weight::Stays, "is run as root when an address is given", "T1546"),
    ("/etc/ppp/**", Weight::Stays, "is run as root when a line comes up", "T1546"),
    ("/etc/acpi/**", Weight::Stays, "is run as root at events of the machine", "T1546"),
    ("/etc/logrotate*", Weight::Stays, "runs commands as root once a day", "T1053"),
    ("/etc/logrotate.d/**", Weight::Stays, "runs commands as root once a day", "T1053"),
    ("/etc/binfmt.d/**", Weight::Stays, "decides what runs files of a kind", "T1546"),
    ("/usr/lib/binfmt.d/**", Weight::Stays, "decides what runs files of a kind", "T1546"),
    ("/etc/sysctl*", Weight::Stays, "sets what the kernel allows", "T1562"),
    ("/etc/sysctl.d/**", Weight::Stays, "sets what the kernel allows", "T1562"),
    ("/etc/audit/**", Weight::Stays, "decides what is recorded", "T1562.001"),
    ("/etc/rsyslog*", Weight::Stays, "decides what is recorded", "T1562.001"),
    ("/etc/rsyslog.d/**", Weight::Stays, "decides what is recorded", "T1562.001"),
    ("/etc/nftables*", Weight::Stays, "decides who may reach this host", "T1562.004"),
    ("/etc/iptables/**", Weight::Stays, "decides who may reach this host", "T1562.004"),
    ("/etc/ufw/**", Weight::Stays, "decides who may reach this host", "T1562.004"),
    ("/etc/firewalld/**", Weight::Stays, "decides who may reach this host", "T1562.004"),
    (
        "/etc/hosts*",
        Weight::Stays,
        "decides which host a name leads to, or who may connect",
        "T1565.001",
    ),
    ("/etc/resolv.conf", Weight::Stays, "decides who answers for names", "T1565.001"),
    ("/etc/aliases*", Weight::Stays, "may run programs when mail comes", "T1546"),
    ("/etc/polder/**", Weight::Stays, "tells Polder what to do", "T1562.001"),
    ("/**/.git/hooks/*", Weight::Stays, "is run when somebody works with the repository", "T1546"),
    ("/**/sitecustomize.py", Weight::Stays, "is run by every Python program", "T1546.018"),
    (
        "/**/usercustomize.py",
        Weight::Stays,
        "is run by every Python program of its user",
        "T1546.018",
    ),
    ("/**/*.pth", Weight::Stays, "may be run by every Python program", "T1546.018"),
    ("/etc/php/**", Weight::Stays, "sets what every PHP program loads and may do", "T1505.003"),
    ("/etc/nginx/**", Weight::Stays, "sets what the web server serves", "T1505.003"),
    ("/etc/apache2/**", Weight::Stays, "sets what the web server serves", "T1505.003"),
    ("/etc/httpd/**", Weight::Stays, "sets what the web server serves", "T1505.003"),
    (
        "/var/www/**",
        Weight::Code,
        "is served by the web server, which runs it if it is a program",
        "T1505.003",
    ),
    ("/srv/**", Weight::Code, "is data that services serve, or programs they run", "T1505.003"),
    ("/var/log/**", Weight::Code, "is a trace of what happened", "T1070.002"),
    ("/etc/**", Weight::Code, "is a setting", ""),
    ("/usr/local/**", Weight::Code, "is a program of this host's own, or part of one", "T1554"),
    ("/opt/**", Weight::Code, "is a program of this host's own, or part of one", "T1554"),
    ("/**/*.so", Weight::Code, "is code that programs load", "T1574.006"),
    ("/**/*.so.*", Weight::Code, "is code that programs load", "T1574.006"),
    ("/**/bin/*", Weight::Code, "is a program", "T1554"),
    ("/**/sbin/*", Weight::Code, "is a program", "T1554"),
    ("/usr/lib/**", Weight::Code, "is part of a program", "T1554"),
    ("/usr/libexec/**", Weight::Code, "is part of a program", "T1554"),
    ("/usr/share/**", Weight::Code, "is part of a program", "T1554"),
    ("/lib*/**", Weight::Code, "is part of a program", "T1554"),
];

/// What a path is for; none for a file like others.
pub fn meaning(path: &[u8]) -> Option<Meaning> {
    let names: Vec<&[u8]> = segments(path).collect();
    SURFACES
        .iter()
        .find(|(pattern, ..)| fits(&segments(pattern.as_bytes()).collect::<Vec<_>>(), &names))
        .map(|(_, weight, says, technique)| Meaning { weight: *weight, says, technique })
}

/// Whether names fit a pattern. `**` at its end needs nothing more; elsewhere it passes any number.
fn fits(pattern: &[&[u8]], names: &[&[u8]]) -> bool {
    match pattern.split_first() {
        None => names.is_empty(),
        Some((first, [])) if *first == b"**" => true,
        Some((first, rest)) if *first == b"**" => {
            (0..=names.len()).any(|skip| names.get(skip..).is_some_and(|names| fits(rest, names)))
        }
        Some((first, rest)) => match names.split_first() {
            Some((name, names)) => crate::policy::matches(first, name) && fits(rest, names),
            None => false,
        },
    }
}

/// Names of capabilities by number (capabilities(7)).
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// Names of the capabilities a file gives, by the value of `security.capability`: magic, then permitted and
/// inheritable in words of 32 bits (the kernel's `include/uapi/linux/capability.h`).
pub fn capabilities(value: &[u8]) -> Vec<String> {
    let word =
        |at: usize| value.get(at..at + 4).and_then(|it| it.try_into().ok()).map(u32::from_le_bytes);
    let low = word(4).unwrap_or(0) | word(8).unwrap_or(0);
    let high = word(12).unwrap_or(0) | word(16).unwrap_or(0);
    let all = (u64::from(high) << 32) | u64::from(low);
    (0..64)
        .filter(|number| all >> number & 1 != 0)
        .map(|number| match CAPABILITIES.get(number) {
            Some(name) => format!("cap_{name}"),
            None => format!("capability {number}"),
        })
        .collect()
}

/// What rights a file gives to whoever runs it, in words.
pub fn gives(
    entry: &Entry,
    owner: &dyn Fn(u32) -> String,
    group: &dyn Fn(u32) -> String,
) -> Vec<String> {
    let mut all = Vec::new();
    if entry.is_set_uid() && entry.is_executable() {
        all.push(match entry.uid {
            0 => "any user who runs it does so as root".to_string(),
            uid => format!("any user who runs it does so as `{}`", owner(uid)),
        });
    }
    if entry.is_set_gid() {
        all.push(format!("any user who runs it does so with the group `{}`", group(entry.gid)));
    }
    if let Some(value) = entry.attribute(b"security.capability") {
        all.push(format!("any user who runs it has {}", capabilities(value).join(", ")));
    }
    if entry.kind == Kind::File && entry.mode & 0o002 != 0 {
        all.push("any user may write to it".into());
    }
    if matches!(entry.kind, Kind::Block | Kind::Character) {
        all.push("it leads to a device, past the rights of what lies on that".into());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(meaning(path.as_bytes()).map_or("", |it| it.technique), expected, "{path}");
    }

    #[test]
    fn a_path_is_known_by_what_it_is_for() {
        check("/etc/ld.so.preload", "T1574.006");
        check("/home/ada/.ssh/authorized_keys", "T1098.004");
        check("/etc/cron.d/x", "T1053.003");
        check("/usr/lib/x86_64-linux-gnu/security/pam_unix.so", "T1556.003");
        check("/srv/git/shop/.git/hooks/pre-receive", "T1546");
        check("/usr/bin/su", "T1554");
        check("/home/ada/notes", "");
    }

    #[test]
    fn capabilities_have_names() {
        // `setcap cap_net_raw,cap_setuid+ep`, revision 2.
        let value = [1, 0, 0, 2, 0x80, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(capabilities(&value), ["cap_setuid", "cap_net_raw"]);
        assert!(capabilities(&[]).is_empty());
    }
}
