//! What `update-ca-certificates` derives: links to certificates of a package, and all of them in one file.

use super::deb::Member;
use crate::compare::Change;
use crate::entry::{Content, Entry, Kind};
use crate::generation::Generation;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

/// Where packages put certificates, where an administrator does, and where the derived files stand.
const OF_PACKAGES: &[u8] = b"/usr/share/ca-certificates/";
const LOCAL: &[u8] = b"/usr/local/share/ca-certificates";
const DERIVED: &[u8] = b"/etc/ssl/certs/";
const BUNDLE: &[u8] = b"/etc/ssl/certs/ca-certificates.crt";

/// Largest certificate, and largest file of all of them.
const BYTES_MAX: u64 = 16 << 20;

/// What is known when certificates are judged.
pub(super) struct Certificates<'a> {
    root: &'a Path,
    generation: &'a Generation,
    changes: HashMap<&'a [u8], &'a Change>,
    members: &'a BTreeMap<Vec<u8>, (usize, &'a Member)>,
    proved: &'a BTreeSet<Vec<u8>>,
}

impl<'a> Certificates<'a> {
    pub(super) fn new(
        root: &'a Path,
        generation: &'a Generation,
        changes: &'a [Change],
        members: &'a BTreeMap<Vec<u8>, (usize, &'a Member)>,
        proved: &'a BTreeSet<Vec<u8>>,
    ) -> Self {
        let changes = changes.iter().map(|it| (it.path.as_slice(), it)).collect();
        Self { root, generation, changes, members, proved }
    }

    /// The package from which a change follows.
    pub(super) fn prove(&self, change: &Change) -> Option<usize> {
        if !change.path.starts_with(DERIVED) {
            return None;
        }
        match (&change.before, &change.after) {
            _ if change.path == BUNDLE => self.bundle(change),
            (_, Some(after)) if after.kind == Kind::Link => {
                let (path, index) = self.source(after)?;
                let is_ours = (after.uid, after.gid) == (0, 0) && after.attributes.is_empty();
                (is_ours && self.is_wanted(&path)).then_some(index)
            }
            // A link to a certificate that the package has no more.
            (Some(before), None) if before.kind == Kind::Link => {
                let source = self.target_before(before)?;
                let is_gone = !self.members.contains_key(&source) && self.proved.contains(&source);
                is_gone.then(|| self.any()).flatten()
            }
            _ => None,
        }
    }

    /// Some package with certificates.
    fn any(&self) -> Option<usize> {
        let mut ours = self.members.iter().filter(|it| it.0.starts_with(OF_PACKAGES));
        ours.next().map(|it| it.1.0)
    }

    /// The certificate that a link leads to in the end, directly or by one link beside it, and its package.
    fn source(&self, link: &Entry) -> Option<(Vec<u8>, usize)> {
        let mut target = link.target.clone();
        if !target.contains(&b'/') {
            target = self.now(&[DERIVED, &target].concat())?.target;
        }
        let (index, _) = self.members.get(&target).filter(|_| target.starts_with(OF_PACKAGES))?;
        let is_known = match self.changes.get(target.as_slice()) {
            Some(_) => self.proved.contains(&target),
            None => self.generation.entry(&target).ok().flatten().is_some(),
        };
        is_known.then_some((target, *index))
    }

    /// The same at the time of the baseline.
    fn target_before(&self, link: &Entry) -> Option<Vec<u8>> {
        let mut target = link.target.clone();
        if !target.contains(&b'/') {
            target = self.generation.entry(&[DERIVED, &target].concat()).ok().flatten()?.target;
        }
        target.starts_with(OF_PACKAGES).then_some(target)
    }

    /// An entry as it is now.
    fn now(&self, path: &[u8]) -> Option<Entry> {
        match self.changes.get(path) {
            Some(change) => change.after.clone(),
            None => self.generation.entry(path).ok().flatten(),
        }
    }

    /// Whether the list of certificates has one, and does not turn it down. What is in the list is told by
    /// itself when it changed.
    fn is_wanted(&self, path: &[u8]) -> bool {
        let Some(name) = path.strip_prefix(OF_PACKAGES) else { return false };
        let list = self.read(b"/etc/ca-certificates.conf").unwrap_or_default();
        list.split(|it| *it == b'\n').any(|line| line == name)
    }

    /// All certificates in one file: each is one of a package, or of the administrator's as before.
    fn bundle(&self, change: &Change) -> Option<usize> {
        let (before, after) = (change.before.as_ref()?, change.after.as_ref()?);
        let same = (before.kind, before.mode, before.uid, before.gid)
            == (after.kind, after.mode, after.uid, after.gid)
            && before.attributes == after.attributes;
        let text = self.read(BUNDLE).filter(|_| same)?;
        if after.content != Content::Digest(*blake3::hash(&text).as_bytes()) {
            return None;
        }
        let mut known: HashSet<Vec<u8>> = HashSet::new();
        for (path, (_, member)) in self.members.iter().filter(|it| it.0.starts_with(OF_PACKAGES)) {
            let bytes = self.read(path).filter(|it| *blake3::hash(it).as_bytes() == member.digest);
            known.extend(bytes.iter().flat_map(|it| certificates(it)));
        }
        for entry in self.generation.folder(LOCAL).ok().flatten().unwrap_or_default() {
            let bytes = self.read(&crate::join(LOCAL, &entry.name));
            let same =
                bytes.filter(|it| entry.content == Content::Digest(*blake3::hash(it).as_bytes()));
            known.extend(same.iter().flat_map(|it| certificates(it)));
        }
        let all = certificates(&text);
        (!all.is_empty() && all.iter().all(|it| known.contains(it))).then(|| self.any()).flatten()
    }

    fn read(&self, path: &[u8]) -> Option<Vec<u8>> {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        super::plain::read(self.root, path, BYTES_MAX).ok()
    }
}

/// The certificates in a text (RFC 7468), each without blanks.
fn certificates(text: &[u8]) -> Vec<Vec<u8>> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    const END: &[u8] = b"-----END CERTIFICATE-----";
    let mut all = Vec::new();
    let mut open: Option<Vec<u8>> = None;
    for line in text.split(|it| *it == b'\n').map(<[u8]>::trim_ascii) {
        match &mut open {
            None if line == BEGIN => open = Some(Vec::new()),
            None if line.is_empty() => {}
            // Anything else between certificates is a certificate that nobody knows.
            None => all.push(line.to_vec()),
            Some(_) if line == END => all.extend(open.take()),
            Some(body) => body.extend_from_slice(line),
        }
    }
    all.extend(open);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_told_apart_and_nothing_hides_between_them() {
        let one = b"-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----\n";
        assert_eq!(certificates(one), [b"AAAABBBB".to_vec()]);
        let other = [&one[..], b"-----BEGIN TRUSTED CERTIFICATE-----\nX\n"].concat();
        assert_eq!(certificates(&other).len(), 3);
        assert_eq!(certificates(b"-----BEGIN CERTIFICATE-----\nAA"), [b"AA".to_vec()]);
    }
}
