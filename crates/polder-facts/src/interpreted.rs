//! Programs in text: which script an interpreter runs, and which modules were changed since.

use crate::apt::packages::STATUS;
use crate::apt::stanza::parse_stanzas;
use crate::reading::text_up_to;
use polder_host::Host;
use polder_model::facts::{Facts, Process};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Largest package database read.
const STATUS_BYTES_MAX: u64 = 256 << 20;

/// What runs a program that is no machine code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interpreter {
    Java,
    Node,
    Perl,
    Php,
    Python,
    Ruby,
}

impl Interpreter {
    /// Told by the executable, or by the interpreter a server has mapped.
    pub(crate) fn of(process: &Process) -> Option<Self> {
        let name = process.executable.as_deref()?.rsplit('/').next()?;
        let is_version = |rest: &str| rest.bytes().all(|it| it.is_ascii_digit() || it == b'.');
        let is = |stem: &str| name.strip_prefix(stem).is_some_and(is_version);
        let has_php =
            |it: &String| it.rsplit('/').next().is_some_and(|it| it.starts_with("libphp"));
        if is("python") || is("pypy") || name.starts_with("uwsgi") {
            Some(Self::Python)
        } else if is("node") || name == "nodejs" || is("bun") {
            Some(Self::Node)
        } else if is("ruby") || is("ruby-mri") || is("puma") {
            Some(Self::Ruby)
        } else if is("perl") {
            Some(Self::Perl)
        } else if is("java") {
            Some(Self::Java)
        } else if is("php")
            || is("php-fpm")
            || is("frankenphp")
            || process.mapped.iter().any(has_php)
        {
            Some(Self::Php)
        } else {
            None
        }
    }

    /// Whether a package of Debian brings modules that it reads when a program starts.
    fn reads(self, package: &str) -> bool {
        let starts = |them: &[&str]| them.iter().any(|it| package.starts_with(it));
        match self {
            Self::Java => package.ends_with("-java"),
            Self::Node => starts(&["node-", "libnode"]),
            Self::Perl => starts(&["perl-modules", "perl-base"]) || package.ends_with("-perl"),
            Self::Php => starts(&["php-"]),
            Self::Python => starts(&["python3-", "python-"]) || package.ends_with("-stdlib"),
            Self::Ruby => starts(&["ruby-", "libruby"]),
        }
    }
}

/// The file a process was started with: the first word after the flags of its interpreter. None where
/// the program stands in the arguments themselves, or has no file.
pub(crate) fn script(process: &Process, works_in: &Path) -> Option<PathBuf> {
    // Flags that take the word after them, and flags after which no script comes.
    let (taking, ending): (&[&str], &[&str]) = match Interpreter::of(process)? {
        Interpreter::Python => (&["-W", "-X", "-Q"], &["-c", "-m"]),
        Interpreter::Node => (
            &[
                "-r",
                "--require",
                "--import",
                "--loader",
                "--experimental-loader",
                "-C",
                "--env-file",
            ],
            &["-e", "--eval", "-p", "--print"],
        ),
        Interpreter::Perl => (&[], &["-e", "-E"]),
        Interpreter::Ruby => (&["-r", "-I", "-C"], &["-e"]),
        Interpreter::Php => (&["-c", "-d", "-t", "-S", "-z"], &["-r", "-B", "-R"]),
        Interpreter::Java => return None,
    };
    // Servers with an interpreter inside are started with their configuration.
    let name = process.executable.as_deref()?.rsplit('/').next()?;
    if name.starts_with("uwsgi") || name.starts_with("php-fpm") || name.starts_with("puma") {
        return None;
    }
    let mut words = process.command.split(' ').skip(1);
    loop {
        let word = words.next()?;
        if ending.contains(&word) {
            return None;
        }
        if taking.contains(&word) {
            words.next();
        } else if !word.starts_with('-') {
            return Some(normal(&works_in.join(word)));
        }
    }
}

/// Without `.` and `..`.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// Notes of every process in text which packages with its modules were upgraded after it started,
/// as far as its own package needs them.
pub(crate) fn note_older_modules(host: &dyn Host, facts: &mut Facts) {
    let newest = facts.upgrades.rows.iter().map(|it| it.when).max();
    let is_older = |it: &Process| it.started.zip(newest).is_some_and(|(from, to)| from < to);
    let package_of = |process: &Process| {
        let script = process.script.as_ref().filter(|_| is_older(process))?;
        Some((Interpreter::of(process)?, facts.owners.get(script)?.clone()))
    };
    let found: Vec<Option<(Interpreter, String)>> =
        facts.processes.rows.iter().map(package_of).collect();
    if found.iter().all(Option::is_none) {
        return;
    }
    let Ok(text) = text_up_to(host, STATUS, STATUS_BYTES_MAX) else { return };
    let needs = needs(&text);
    for (process, found) in facts.processes.rows.iter_mut().zip(found) {
        let (Some((interpreter, package)), Some(started)) = (found, process.started) else {
            continue;
        };
        let all = closure(&needs, &package);
        let upgraded = facts.upgrades.rows.iter().filter(|it| it.when > started);
        let names = upgraded.map(|it| it.name.as_str()).filter(|it| all.contains(it));
        let names: BTreeSet<String> =
            names.filter(|it| interpreter.reads(it)).map(str::to_string).collect();
        process.older_modules = names.into_iter().collect();
    }
}

/// What each package needs, by name; of alternatives all.
fn needs(status: &str) -> BTreeMap<String, Vec<String>> {
    let (stanzas, _) = parse_stanzas(status);
    let mut needs = BTreeMap::new();
    for stanza in &stanzas {
        let words = ["Pre-Depends", "Depends"].map(|it| stanza.get(it).to_string()).join(",");
        let name = |it: &str| {
            let name = it.trim().split([' ', '(', ':']).next().unwrap_or_default();
            (!name.is_empty()).then(|| name.to_string())
        };
        let all: Vec<String> = words.split([',', '|']).filter_map(name).collect();
        needs.insert(stanza.get("Package").to_string(), all);
    }
    needs
}

fn closure<'a>(needs: &'a BTreeMap<String, Vec<String>>, package: &str) -> BTreeSet<&'a str> {
    let mut all: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> =
        needs.get_key_value(package).map(|it| it.0.as_str()).into_iter().collect();
    while let Some(name) = open.pop() {
        if all.insert(name)
            && let Some(more) = needs.get(name)
        {
            open.extend(more.iter().map(String::as_str));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_the_first_word_after_the_flags() {
        let of = |executable: &str, command: &str| {
            let executable = Some(executable.to_string());
            let process = Process { executable, command: command.into(), ..Process::default() };
            script(&process, Path::new("/srv/shop")).map(|it| it.display().to_string())
        };
        let python = "/usr/bin/python3.11";
        assert_eq!(of(python, "python3 -u ../x/serve.py -v").as_deref(), Some("/srv/x/serve.py"));
        assert_eq!(of(python, "python3 -W ignore run").as_deref(), Some("/srv/shop/run"));
        assert_eq!(of(python, "python3 -m http.server"), None);
        assert_eq!(of(python, "python3 -c import/x.y"), None);
        assert_eq!(of("/usr/bin/perl", "perl /usr/sbin/x").as_deref(), Some("/usr/sbin/x"));
        let node = "/usr/bin/node";
        assert_eq!(of(node, "node -r ./trace.js app.js").as_deref(), Some("/srv/shop/app.js"));
        assert_eq!(of(node, "node -e fetch('https://x/?key=1')"), None);
        assert_eq!(of("/usr/sbin/php-fpm8.2", "php-fpm: master process (/etc/x.conf)"), None);
        assert_eq!(of(python, "python3"), None);
    }

    #[test]
    fn what_a_package_needs_is_followed_through_alternatives_and_rings() {
        let text = "Package: a\nDepends: b (>= 1), c:any | d\n\nPackage: b\nDepends: a\n\nPackage: d\nPre-Depends: e\n\nPackage: x\n";
        let needs = needs(text);
        let found: Vec<&str> = closure(&needs, "a").into_iter().collect();
        assert_eq!(found, ["a", "b", "c", "d", "e"]);
        assert!(closure(&needs, "unknown").is_empty());
    }
}
