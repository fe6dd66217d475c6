//! What is watched, and how closely. The rule of the most exact pattern holds.

/// How closely something is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Every attribute, and every byte.
    Full,
    /// A log: it may grow at its end and be rotated, and otherwise nothing.
    Grows,
    /// Files come, change and go; what gives rights to whoever runs it is shown all the same.
    Volatile,
    /// Not looked at.
    Ignored,
}

impl Rule {
    /// The word for it in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "watch",
            Self::Grows => "grows",
            Self::Volatile => "volatile",
            Self::Ignored => "ignore",
        }
    }
}

/// Rules that hold where nothing else is said: of Debian, of the RPM family and of Alpine alike.
///
/// `*` stands for any text without `/`. A pattern holds for what is named and for all below it.
pub const DEFAULTS: &[(Rule, &str)] = &[
    (Rule::Full, "/"),
    // Made by the kernel, or gone with the next boot.
    (Rule::Ignored, "/proc"),
    (Rule::Ignored, "/sys"),
    (Rule::Ignored, "/dev"),
    (Rule::Ignored, "/run"),
    (Rule::Ignored, "/lost+found"),
    (Rule::Volatile, "/dev/shm"),
    (Rule::Volatile, "/tmp"),
    (Rule::Volatile, "/var/tmp"),
    // Caches and queues.
    (Rule::Volatile, "/var/cache"),
    (Rule::Volatile, "/var/mail"),
    (Rule::Volatile, "/var/spool"),
    (Rule::Full, "/var/spool/cron"),
    (Rule::Full, "/var/spool/anacron"),
    (Rule::Volatile, "/var/spool/anacron/cron.*"),
    (Rule::Full, "/var/spool/at"),
    (Rule::Volatile, "/home/*/.cache"),
    (Rule::Volatile, "/root/.cache"),
    (Rule::Volatile, "/home/*/.*_history"),
    (Rule::Volatile, "/root/.*_history"),
    (Rule::Volatile, "/home/*/.viminfo"),
    (Rule::Volatile, "/root/.viminfo"),
    (Rule::Volatile, "/home/*/.lesshst"),
    (Rule::Volatile, "/root/.lesshst"),
    (Rule::Volatile, "/etc/adjtime"),
    (Rule::Volatile, "/etc/.pwd.lock"),
    // What services keep, and write all day.
    (Rule::Volatile, "/var/lib/postgresql"),
    (Rule::Volatile, "/var/lib/pgsql"),
    (Rule::Volatile, "/var/lib/mysql"),
    (Rule::Volatile, "/var/lib/mongodb"),
    (Rule::Volatile, "/var/lib/redis"),
    (Rule::Volatile, "/var/lib/valkey"),
    (Rule::Volatile, "/var/lib/rabbitmq"),
    (Rule::Volatile, "/var/lib/mosquitto"),
    (Rule::Volatile, "/var/lib/nats"),
    (Rule::Volatile, "/var/lib/elasticsearch"),
    (Rule::Volatile, "/var/lib/prometheus"),
    (Rule::Volatile, "/var/lib/grafana"),
    (Rule::Volatile, "/var/lib/influxdb"),
    (Rule::Ignored, "/var/lib/docker"),
    (Rule::Ignored, "/var/lib/containerd"),
    (Rule::Ignored, "/var/lib/containers"),
    (Rule::Volatile, "/var/lib/php/sessions"),
    (Rule::Volatile, "/var/lib/nginx"),
    (Rule::Volatile, "/var/lib/apache2/fastcgi"),
    (Rule::Volatile, "/var/lib/fail2ban"),
    (Rule::Volatile, "/var/lib/polder"),
    // What the system itself notes in passing.
    (Rule::Volatile, "/var/lib/apt/lists"),
    (Rule::Volatile, "/var/lib/apt/periodic"),
    (Rule::Volatile, "/var/lib/apt/daily_lock"),
    (Rule::Volatile, "/var/lib/dpkg/lock*"),
    (Rule::Volatile, "/var/lib/dpkg/triggers/Lock"),
    (Rule::Volatile, "/var/lib/chrony"),
    (Rule::Volatile, "/var/lib/dhcp"),
    (Rule::Volatile, "/var/lib/dhclient"),
    (Rule::Volatile, "/var/lib/NetworkManager"),
    (Rule::Volatile, "/var/lib/logrotate"),
    (Rule::Volatile, "/var/lib/logrotate.status"),
    (Rule::Volatile, "/var/lib/man-db"),
    (Rule::Volatile, "/var/lib/mlocate"),
    (Rule::Volatile, "/var/lib/plocate"),
    (Rule::Volatile, "/var/lib/ntp"),
    (Rule::Volatile, "/var/lib/ntpsec"),
    (Rule::Volatile, "/var/lib/private"),
    (Rule::Volatile, "/var/lib/rpm/.rpm.lock"),
    (Rule::Volatile, "/var/lib/rpm/*-shm"),
    (Rule::Volatile, "/usr/lib/sysimage/rpm/.rpm.lock"),
    (Rule::Volatile, "/usr/lib/sysimage/rpm/*-shm"),
    (Rule::Volatile, "/usr/lib/sysimage/libdnf5"),
    (Rule::Volatile, "/var/lib/dnf"),
    (Rule::Volatile, "/var/lib/rpm-state"),
    (Rule::Volatile, "/var/lib/sss/db"),
    (Rule::Volatile, "/var/lib/sss/mc"),
    (Rule::Volatile, "/var/lib/sss/pipes"),
    (Rule::Volatile, "/var/lib/setroubleshoot"),
    (Rule::Volatile, "/lib/apk/db/lock"),
    (Rule::Volatile, "/var/lib/sudo"),
    (Rule::Volatile, "/var/lib/systemd"),
    (Rule::Full, "/var/lib/systemd/linger"),
    (Rule::Volatile, "/var/lib/ubuntu-advantage"),
    (Rule::Volatile, "/var/lib/update-notifier"),
    (Rule::Volatile, "/var/lib/unattended-upgrades"),
    (Rule::Volatile, "/var/lib/upower"),
    (Rule::Volatile, "/var/lib/cloud"),
    (Rule::Volatile, "/var/backups"),
    // Homes of services, and settings among their data: ways in, wherever they lie.
    (Rule::Full, "/var/lib/*/.ssh"),
    (Rule::Full, "/var/lib/*/.profile"),
    (Rule::Full, "/var/lib/*/.bash*"),
    (Rule::Full, "/var/lib/*/.config"),
    (Rule::Full, "/var/lib/pgsql/data/*.conf"),
    (Rule::Full, "/var/lib/pgsql/*/data/*.conf"),
    (Rule::Full, "/var/lib/postgresql/*/*/postgresql.auto.conf"),
    (Rule::Full, "/var/lib/cloud/scripts"),
    (Rule::Full, "/var/spool/incron"),
    // Logs.
    (Rule::Grows, "/var/log"),
    (Rule::Volatile, "/var/log/journal"),
    // Written anew at each run, beside the history that grows.
    (Rule::Volatile, "/var/log/apt/eipp.log*"),
    (Rule::Volatile, "/var/log/lastlog"),
    (Rule::Volatile, "/var/log/faillog"),
    (Rule::Volatile, "/var/log/sysstat"),
    (Rule::Volatile, "/var/log/sa"),
];

/// Kinds of file systems that are looked into when something of that kind is mounted on a watched folder.
const KINDS: [&str; 14] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "jfs", "reiserfs", "vfat",
    "exfat", "tmpfs", "ntfs3",
];

/// All rules.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<(Vec<Vec<u8>>, Rule)>,
}

/// The rules that matter within one folder.
#[derive(Clone, Debug)]
pub struct Here<'a> {
    inherited: Rule,
    names: Vec<(&'a [u8], Rule)>,
    /// Whether a rule further below is closer than the one that holds here.
    leads_on: Vec<&'a [u8]>,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(std::iter::empty())
    }
}

impl Policy {
    /// The defaults with further rules, which win against a default of the same pattern.
    pub fn new<'a>(more: impl Iterator<Item = (Rule, &'a str)>) -> Self {
        Self::of_rules(DEFAULTS.iter().map(|(rule, pattern)| (*rule, *pattern)).chain(more))
    }

    /// These rules only: what none of them names is not looked at.
    pub fn only<'a>(rules: impl Iterator<Item = (Rule, &'a str)>) -> Self {
        Self::of_rules(std::iter::once((Rule::Ignored, "/")).chain(rules))
    }

    fn of_rules<'a>(all: impl Iterator<Item = (Rule, &'a str)>) -> Self {
        let mut rules: Vec<(Vec<Vec<u8>>, Rule)> =
            all.map(|(rule, pattern)| (owned_segments(pattern.as_bytes()), rule)).collect();
        // The most exact last; of equals the one that was given last.
        // A name without `*` is more exact than one with it, and so is one with more letters.
        rules.sort_by_key(|(segments, _)| {
            let is_star = |it: &&Vec<u8>| it.contains(&b'*');
            let letters: usize = segments.iter().map(Vec::len).sum();
            (segments.len(), segments.len() - segments.iter().filter(is_star).count(), letters)
        });
        Self { rules }
    }

    /// The rules as [`Policy::lines`] gave them; lines that are none are left out.
    pub fn from_lines(lines: &[String]) -> Self {
        let rule = |line: &String| {
            let (word, pattern) = line.split_once(' ')?;
            let all = [Rule::Full, Rule::Grows, Rule::Volatile, Rule::Ignored];
            let rule = all.into_iter().find(|it| it.word() == word)?;
            Some((owned_segments(pattern.as_bytes()), rule))
        };
        Self { rules: lines.iter().filter_map(rule).collect() }
    }

    /// Every rule as `word pattern`, in the order in which they weigh.
    pub fn lines(&self) -> Vec<String> {
        let shown = |segments: &[Vec<u8>]| {
            let parts: Vec<String> =
                segments.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect();
            format!("/{}", parts.join("/"))
        };
        self.rules.iter().map(|(path, rule)| format!("{} {}", rule.word(), shown(path))).collect()
    }

    /// Places that are to be watched by rules of one's own, and are not there in a root.
    pub fn missing(&self, root: &std::path::Path) -> Vec<String> {
        let is_default = |line: &String| {
            DEFAULTS.iter().any(|(rule, pattern)| *line == format!("{} {pattern}", rule.word()))
        };
        let lines = self.lines().into_iter().filter(|it| !is_default(it) && !it.contains('*'));
        let places = lines.filter_map(|it| Some(it.strip_prefix("watch ")?.to_string()));
        let is_there =
            |it: &String| root.join(it.trim_start_matches('/')).symlink_metadata().is_ok();
        places.filter(|it| !is_there(it)).collect()
    }

    /// The rules within one folder.
    pub fn within(&self, folder: &[u8]) -> Here<'_> {
        let path: Vec<&[u8]> = segments(folder).collect();
        let mut inherited = Rule::Full;
        let (mut names, mut leads_on) = (Vec::new(), Vec::new());
        for (pattern, rule) in &self.rules {
            let common = path.len().min(pattern.len());
            let fits = pattern.iter().zip(&path).take(common).all(|(a, b)| matches(a, b));
            if !fits {
                continue;
            }
            match pattern.get(path.len()) {
                None => inherited = *rule,
                Some(name) if pattern.len() == path.len() + 1 => {
                    names.push((name.as_slice(), *rule))
                }
                Some(name) => leads_on.push(name.as_slice()),
            }
        }
        Here { inherited, names, leads_on }
    }

    /// The rule of one path.
    pub fn of(&self, path: &[u8]) -> Rule {
        let (folder, name) = split(path);
        self.within(folder).of(name)
    }

    /// Whether something at a path, or below it, is looked at.
    pub fn reaches(&self, path: &[u8]) -> bool {
        let here = self.within(path);
        here.inherited != Rule::Ignored || !here.names.is_empty() || !here.leads_on.is_empty()
    }

    /// Whether what is mounted with this kind of file system is looked into.
    pub fn looks_into(kind: &str) -> bool {
        KINDS.contains(&kind)
    }
}

impl Here<'_> {
    /// The rule of a name in this folder.
    pub fn of(&self, name: &[u8]) -> Rule {
        let closer = self.names.iter().rev().find(|(pattern, _)| matches(pattern, name));
        closer.map_or(self.inherited, |(_, rule)| *rule)
    }

    /// Whether something in this folder may be a log.
    pub fn has_logs(&self) -> bool {
        self.inherited == Rule::Grows || self.names.iter().any(|(_, rule)| *rule == Rule::Grows)
    }

    /// Whether files may come and go in this folder, or under some names in it.
    pub fn has_volatile(&self) -> bool {
        let is_volatile = |rule: Rule| rule == Rule::Volatile;
        is_volatile(self.inherited) || self.names.iter().any(|(_, rule)| is_volatile(*rule))
    }

    /// Whether a folder of this name is entered: something below it may be watched.
    pub fn enters(&self, name: &[u8]) -> bool {
        self.of(name) != Rule::Ignored || self.leads_on.iter().any(|it| matches(it, name))
    }
}

/// Folder and name of an absolute path.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (b"/", path.get(1..).unwrap_or_default()),
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
        None => (b"/", path),
    }
}

/// Whether a path lies below a folder, which is written without a slash at its end.
pub(crate) fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"))
}

/// Whether a path is a folder or lies below it; of the root everything does.
pub fn is_at_or_below(path: &[u8], folder: &[u8]) -> bool {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    path == folder || is_below(path, folder)
}

/// A name below a folder.
pub fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = folder.to_vec();
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The names of a path.
pub(crate) fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|it| !it.is_empty())
}

/// The same, kept.
fn owned_segments(path: &[u8]) -> Vec<Vec<u8>> {
    segments(path).map(<[u8]>::to_vec).collect()
}

/// Whether a name fits a pattern in which `*` stands for any text.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut star) = (0, None);
    let mut in_pattern = 0;
    while at < name.len() {
        match pattern.get(in_pattern) {
            Some(b'*') => {
                star = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(byte) if name.get(at) == Some(byte) => {
                in_pattern += 1;
                at += 1;
            }
            _ => {
                let Some((place, from)) = star else { return false };
                star = Some((place, from + 1));
                in_pattern = place + 1;
                at = from + 1;
            }
        }
    }
    pattern.get(in_pattern..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Rule) {
        let policy = Policy::new([(Rule::Ignored, "/srv/*/logs")].into_iter());
        assert_eq!(policy.of(path.as_bytes()), expected, "{path}");
    }

    #[test]
    fn the_most_exact_rule_holds() {
        check("/usr/bin/su", Rule::Full);
        check("/var/spool/mqueue/x", Rule::Volatile);
        check("/var/spool/cron/crontabs/root", Rule::Full);
        check("/var/log/nginx/access.log", Rule::Grows);
        check("/dev/sda", Rule::Ignored);
        check("/dev/shm/x", Rule::Volatile);
        check("/srv/shop/logs/a", Rule::Ignored);
        check("/srv/shop/x/logs", Rule::Full);
        check("/home/ada/.bash_history", Rule::Volatile);
        check("/var/lib/redis/.ssh/authorized_keys", Rule::Full);
        let policy =
            Policy::only([(Rule::Full, "/srv/shop"), (Rule::Ignored, "/srv/*")].into_iter());
        assert_eq!(policy.of(b"/srv/shop/x"), Rule::Full);
        assert_eq!(policy.of(b"/srv/other/x"), Rule::Ignored);
    }

    #[test]
    fn a_folder_is_entered_for_what_lies_below_it() {
        let policy = Policy::default();
        let root = policy.within(b"/");
        assert!(root.enters(b"dev") && !root.enters(b"proc"));
    }

    #[test]
    fn a_star_stands_for_any_text_within_a_name() {
        for (pattern, name, expected) in
            [("*", "", true), ("a*c", "abbc", true), ("a*c", "abb", false), ("*.d", "x.d.d", true)]
        {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
