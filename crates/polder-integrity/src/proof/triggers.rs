//! Dpkg's lists of who is interested in which files (deb-triggers(5)): they follow from what packages say, whose
//! files in dpkg's folder are as they were or proved.

use super::dpkg::text;
use super::prove::{Proofs, is_unmarked};
use crate::compare::Change;
use crate::entry::{Content, Kind};
use std::collections::BTreeSet;
use std::path::Path;

/// Where packages say what they are interested in, and where dpkg keeps the lists.
const SAID: &str = "/var/lib/dpkg/info";
const LISTS: &str = "/var/lib/dpkg/triggers/";

/// Adds the lists that say what the packages say, and nothing more.
pub(super) fn prove(root: &Path, changes: &[Change], proofs: &mut Proofs) {
    let lists = changes.iter().filter_map(|it| {
        let name = std::str::from_utf8(it.path.strip_prefix(LISTS.as_bytes())?).ok()?;
        Some((it, name.to_string()))
    });
    let lists: Vec<(&Change, String)> = lists.collect();
    let mut sources = changes.iter().map(|it| &it.path).filter(|it| is_said(it));
    let said_anew = sources.any(|it| !proofs.paths.contains(it));
    if lists.is_empty() || said_anew {
        return;
    }
    let said = said(root);
    for (change, name) in lists {
        let Some(after) = &change.after else { continue };
        let is_plain = after.kind == Kind::File
            && (after.uid, after.gid, after.mode & 0o7133) == (0, 0, 0)
            && after.attributes.is_empty()
            && is_unmarked(after, change);
        let list = text(root, Path::new(&format!("{LISTS}{name}")));
        let is_same = after.content == Content::Digest(*blake3::hash(list.as_bytes()).as_bytes());
        let wanted = wanted(&said, &name);
        if is_plain && is_same && !wanted.is_empty() && lines(&list) == Some(wanted) {
            proofs.paths.insert(change.path.clone());
        }
    }
}

/// Whether lists follow from a path.
pub(crate) fn is_said(path: &[u8]) -> bool {
    path.starts_with(SAID.as_bytes()) && path.ends_with(b".triggers")
}

/// The lines of a list as dpkg writes it: each with its end, and none twice. Another is one that it refuses.
fn lines(list: &str) -> Option<BTreeSet<String>> {
    let inside = list.strip_suffix('\n')?;
    let mut all = BTreeSet::new();
    inside.split('\n').all(|it| all.insert(it.to_string())).then_some(all)
}

/// Package, what it is interested in, and whether dpkg waits for it.
type Interest = (String, String, bool);

fn said(root: &Path) -> Vec<Interest> {
    let mut all = Vec::new();
    let folder = root.join(SAID.trim_start_matches('/'));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(file) = entry.file_name().into_string() else { continue };
        let Some(package) = file.strip_suffix(".triggers") else { continue };
        let text = text(root, &Path::new(SAID).join(&file));
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            if let (Some(word), Some(of)) = (words.next(), words.next())
                && word.starts_with("interest")
            {
                all.push((package.to_string(), of.to_string(), word != "interest-noawait"));
            }
        }
    }
    all
}

/// The lines of a list: of paths with who waits for them, or of who waits for one name.
fn wanted(said: &[Interest], name: &str) -> BTreeSet<String> {
    let lines = said.iter().filter_map(|(package, of, waits)| {
        let end = if *waits { "" } else { "/noawait" };
        match name {
            "File" => of.starts_with('/').then(|| format!("{of} {package}{end}")),
            name => (of == name).then(|| format!("{package}{end}")),
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_follow_from_what_packages_say() {
        let root = tempfile::tempdir().unwrap();
        let info = root.path().join("var/lib/dpkg/info");
        std::fs::create_dir_all(&info).unwrap();
        let says = "# why\ninterest /usr/share/man\ninterest-noawait ldconfig\nactivate x\n";
        std::fs::write(info.join("man-db.triggers"), says).unwrap();
        std::fs::write(info.join("libc:amd64.triggers"), "interest-noawait /lib # y\n").unwrap();
        let said = said(root.path());
        let lines = |name| wanted(&said, name).into_iter().collect::<Vec<_>>();
        assert_eq!(lines("File"), ["/lib libc:amd64/noawait", "/usr/share/man man-db"]);
        assert_eq!(lines("ldconfig"), ["man-db/noawait"]);
        assert_eq!(lines("other"), [""; 0]);
        for refused in ["/lib x", "/lib x\n/lib x\n", ""] {
            assert_eq!(super::lines(refused), None, "{refused:?}");
        }
        assert!(super::lines("/lib x\r\n").unwrap().contains("/lib x\r"));
    }
}
