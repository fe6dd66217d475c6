//! Known flaws of libraries, as text, JSON, the form of OSV's scanner, and SARIF.

use crate::sarif::{log, uri};
use crate::terminal::wrap;
use polder_model::facts::{Library, LibraryFlaw, Verdict};
use polder_model::printable_str;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What was looked through, and what is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct AuditView {
    /// Version of this form.
    pub schema: &'static str,
    /// Lock files and folders of what is installed, by path.
    pub files: Vec<AuditFile>,
    /// What is not known, with the reason.
    pub unknown: Vec<AuditGap>,
}

/// One lock file, or one folder of what is installed.
#[derive(Clone, Debug, Serialize)]
pub struct AuditFile {
    /// Where it is.
    pub path: String,
    /// The registry, as the OSV schema names it.
    pub ecosystem: &'static str,
    /// Libraries of that registry.
    pub libraries: usize,
    /// Libraries named without a version: nothing is known of them.
    pub unpinned: usize,
    /// Libraries from repositories, addresses and other registries: no feed names them.
    pub elsewhere: usize,
    /// Libraries that came with packages of the distribution: `polder look flaws` judges these.
    pub packaged: usize,
    /// For each library with flaws: the nearest later version with none of them.
    pub upgrades: Vec<Upgrade>,
    /// Known flaws, the most urgent first.
    pub flaws: Vec<LibraryFlaw>,
    /// What was said of libraries that is no vulnerability in itself, such as "unmaintained".
    pub notices: Vec<LibraryFlaw>,
}

/// A library with known flaws, and where they end.
#[derive(Clone, Debug, Serialize)]
pub struct Upgrade {
    /// The library.
    #[serde(flatten)]
    pub library: Library,
    /// The nearest later version without any known flaw; none where there is none.
    pub free: Option<String>,
}

/// Something that is not known.
#[derive(Clone, Debug, Serialize)]
pub struct AuditGap {
    /// A file, a folder or a registry.
    pub of: String,
    /// Why.
    pub because: String,
}

impl AuditView {
    /// All files with what they have.
    pub fn new(mut files: Vec<AuditFile>, unknown: Vec<AuditGap>) -> Self {
        for file in &mut files {
            file.flaws.sort_by(|a, b| urgency(b).total_cmp(&urgency(a)).then_with(|| order(a, b)));
            file.notices.sort_by(order);
        }
        Self { schema: "polder-audit/1", files, unknown }
    }

    /// How many flaws there are: records of one flaw of one library are one.
    pub fn flaw_count(&self) -> usize {
        self.files.iter().map(|it| groups(&it.flaws).len()).sum()
    }
}

fn order(a: &LibraryFlaw, b: &LibraryFlaw) -> std::cmp::Ordering {
    (&a.library, &a.advisory).cmp(&(&b.library, &b.advisory))
}

/// Flaws that are used come first, then those that probably will be, then by their score.
fn urgency(flaw: &LibraryFlaw) -> f64 {
    let used = f64::from(u8::from(flaw.exploited_since.is_some()));
    1000.0 * used + 100.0 * flaw.likelihood.unwrap_or(0.0) + flaw.score.unwrap_or(0.0)
}

/// Records of the same library that share a name in the CVE list, the best known first.
fn groups(flaws: &[LibraryFlaw]) -> Vec<Vec<&LibraryFlaw>> {
    let mut groups: Vec<Vec<&LibraryFlaw>> = Vec::new();
    for flaw in flaws {
        let is_same = |it: &&LibraryFlaw| {
            it.library == flaw.library && it.cves.iter().any(|cve| flaw.cves.contains(cve))
        };
        match groups.iter_mut().find(|group| group.iter().any(is_same)) {
            Some(group) => group.push(flaw),
            None => groups.push(vec![flaw]),
        }
    }
    groups
}

/// Flaws of one library that are shown unless all are asked for.
const SHOWN: usize = 3;

/// As text: what has flaws, then what is not known; with `all` every file, flaw and notice.
pub fn audit_text(view: &AuditView, all: bool) -> String {
    let mut out = String::new();
    for file in view.files.iter().filter(|it| all || !it.flaws.is_empty()) {
        let noun = if file.libraries == 1 { "library" } else { "libraries" };
        let mut head = format!("{}: {} {noun} of {}", file.path, file.libraries, file.ecosystem);
        if file.unpinned > 0 {
            let _ = write!(head, ", {} more without a version", file.unpinned);
        }
        if file.elsewhere > 0 {
            let _ = write!(head, ", {} from elsewhere", file.elsewhere);
        }
        if file.packaged > 0 {
            let _ = write!(head, ", {} of the distribution's packages", file.packaged);
        }
        wrap(&mut out, "", "  ", &printable_str(&head));
        // In the order of the flaws: the library with the most urgent one first.
        let mut shown: BTreeSet<&Library> = BTreeSet::new();
        for flaw in &file.flaws {
            if shown.insert(&flaw.library) {
                library_text(&mut out, file, &flaw.library, all);
            }
        }
        for it in file.notices.iter().filter(|_| all) {
            let Library { name, version, .. } = &it.library;
            let what = match &it.verdict {
                Verdict::Stated { because } => format!("not affected: {because}"),
                _ => it.informational.clone(),
            };
            let line = format!("{name} {version}: {what} ({})", it.advisory);
            wrap(&mut out, "  note ", "    ", &printable_str(&line));
        }
        out.push('\n');
    }
    let notices: usize = view.files.iter().map(|it| it.notices.len()).sum();
    wrap(&mut out, "", "", &summary(view, notices, all));
    for gap in &view.unknown {
        let line = format!("{}: {}", gap.of, gap.because);
        wrap(&mut out, "Not known: ", "  ", &printable_str(&line));
    }
    out
}

fn library_text(out: &mut String, file: &AuditFile, library: &Library, all: bool) {
    let Library { name, version, .. } = library;
    let own: Vec<LibraryFlaw> =
        file.flaws.iter().filter(|it| it.library == *library).cloned().collect();
    let groups = groups(&own);
    let free = file.upgrades.iter().find(|it| it.library == *library);
    let end = match free.and_then(|it| it.free.as_ref()) {
        Some(free) => format!("{free} has none of them"),
        None => "no version without them is known".into(),
    };
    let line = match groups.len() {
        1 => format!("{name} {version}: 1 known flaw"),
        count => format!("{name} {version}: {count} known flaws; {end}"),
    };
    wrap(out, "  ", "    ", &printable_str(&line));
    let most = if all { usize::MAX } else { SHOWN };
    for group in groups.iter().take(most) {
        flaw_text(out, group);
    }
    if groups.len() > most {
        let _ = writeln!(out, "    and {} more with --all", groups.len() - most);
    }
}

/// One flaw, which several records may tell.
fn flaw_text(out: &mut String, group: &[&LibraryFlaw]) {
    let names: BTreeSet<&str> = group
        .iter()
        .flat_map(|it| it.cves.iter().chain([&it.advisory]))
        .map(String::as_str)
        .collect();
    let state = |it: &&LibraryFlaw| match &it.verdict {
        Verdict::FixableNow { fixed } | Verdict::FixableElsewhere { fixed, .. } => {
            format!("fixed in {fixed}")
        }
        Verdict::NoFix { state } => format!("no fix: {state}"),
        Verdict::Stated { because } => format!("not affected: {because}"),
        Verdict::Unknown { because } => format!("unknown: {because}"),
    };
    let has_fix = |it: &&&LibraryFlaw| matches!(it.verdict, Verdict::FixableNow { .. });
    let best = group.iter().find(has_fix).or_else(|| group.first());
    let mut says: Vec<String> = best.map(state).into_iter().collect();
    if group.iter().any(|it| it.exploited_since.is_some()) {
        says.push("attackers use it".into());
    }
    says.extend(group.iter().find_map(|it| it.score).map(|it| format!("CVSS {it:.1}")));
    says.extend(group.iter().map(|it| &it.summary).find(|it| !it.is_empty()).cloned());
    let names: Vec<&str> = names.into_iter().collect();
    let line = format!("{}: {}", names.join(", "), says.join("; "));
    wrap(out, "    ", "      ", &printable_str(&line));
}

fn summary(view: &AuditView, notices: usize, all: bool) -> String {
    let files = view.files.len();
    let libraries: usize = view.files.iter().map(|it| it.libraries).sum();
    let places = if files == 1 { "1 place".into() } else { format!("{files} places") };
    let libraries = match libraries {
        1 => "1 library".to_string(),
        count => format!("{count} libraries"),
    };
    let mut text = match (view.flaw_count(), view.unknown.is_empty()) {
        (0, true) => format!("No known flaw in {libraries} of {places}."),
        (0, false) => {
            format!("No known flaw was met in {libraries} of {places}; not all is known.")
        }
        (1, _) => format!("1 known flaw in {libraries} of {places}."),
        (count, _) => format!("{count} known flaws in {libraries} of {places}."),
    };
    let packaged: usize = view.files.iter().map(|it| it.packaged).sum();
    if packaged > 0 {
        let _ = write!(text, " {packaged} more belong to packages of the distribution.");
    }
    if notices > 0 && !all {
        let noun = if notices == 1 { "notice" } else { "notices" };
        let _ = write!(text, " {notices} {noun} more with --all (unmaintained, unsound).");
    }
    text
}

/// As OSV's scanner writes its results.
pub fn audit_osv(view: &AuditView) -> Value {
    let result = |file: &AuditFile| {
        let mut by_library: BTreeMap<&Library, Vec<&LibraryFlaw>> = BTreeMap::new();
        for flaw in file.flaws.iter().chain(&file.notices) {
            by_library.entry(&flaw.library).or_default().push(flaw);
        }
        let package = |(library, flaws): (&Library, Vec<&LibraryFlaw>)| {
            let owned: Vec<LibraryFlaw> = flaws.iter().map(|it| (*it).clone()).collect();
            let ids = |group: &Vec<&LibraryFlaw>| json!({ "ids": group.iter().map(|it| &it.advisory).collect::<Vec<_>>() });
            json!({
                "package": {
                    "name": library.name, "version": library.version,
                    "ecosystem": library.ecosystem,
                },
                "vulnerabilities": flaws.iter().map(|it| vulnerability(it)).collect::<Vec<_>>(),
                "groups": groups(&owned).iter().map(ids).collect::<Vec<_>>(),
            })
        };
        json!({
            "source": { "path": file.path, "type": "lockfile" },
            "packages": by_library.into_iter().map(package).collect::<Vec<_>>(),
        })
    };
    let with_flaws = |it: &&AuditFile| !it.flaws.is_empty() || !it.notices.is_empty();
    json!({ "results": view.files.iter().filter(with_flaws).map(result).collect::<Vec<_>>() })
}

fn vulnerability(flaw: &LibraryFlaw) -> Value {
    let mut value = json!({
        "id": flaw.advisory, "aliases": flaw.cves, "summary": flaw.summary,
        "database_specific": { "verdict": flaw.verdict, "told_by": flaw.told_by },
    });
    let kind = ["2.0", "3.0", "3.1", "4.0"]
        .iter()
        .find(|it| flaw.vector.starts_with(&format!("CVSS:{it}")))
        .map_or("CVSS_V2", |it| if it.starts_with('4') { "CVSS_V4" } else { "CVSS_V3" });
    if let Some(object) = value.as_object_mut().filter(|_| !flaw.vector.is_empty()) {
        object.insert("severity".into(), json!([{ "type": kind, "score": flaw.vector }]));
    }
    value
}

/// As SARIF 2.1.0.
pub fn audit_sarif(view: &AuditView, version: &str) -> Value {
    let mut rules: BTreeMap<&str, Value> = BTreeMap::new();
    let mut results = Vec::new();
    for file in &view.files {
        for flaw in &file.flaws {
            rules.entry(&flaw.advisory).or_insert_with(|| {
                let mut properties = json!({ "tags": flaw.cves });
                if let (Some(object), Some(score)) = (properties.as_object_mut(), flaw.score) {
                    object.insert("security-severity".into(), format!("{score:.1}").into());
                }
                json!({
                    "id": flaw.advisory,
                    "shortDescription": { "text": flaw.summary },
                    "properties": properties,
                })
            });
            let Library { name, version, .. } = &flaw.library;
            let says = match &flaw.verdict {
                Verdict::FixableNow { fixed } => {
                    format!("{name} {version}: fixed in {fixed}. {}", flaw.summary)
                }
                _ => format!("{name} {version}: no version without it is known. {}", flaw.summary),
            };
            results.push(json!({
                "ruleId": flaw.advisory,
                "level": "warning",
                "message": { "text": says },
                "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(&file.path) } } }],
                "partialFingerprints": {
                    "polderFlaw/v1": format!("{}:{name}@{version}", flaw.advisory),
                },
            }));
        }
    }
    // What could not be looked at must not pass for clean.
    let notifications: Vec<Value> = view.unknown.iter().map(notification).collect();
    let run = json!({
        "results": results,
        "invocations": [{
            "executionSuccessful": view.unknown.is_empty(),
            "toolExecutionNotifications": notifications,
        }],
    });
    log(version, rules.into_values().collect(), run)
}

fn notification(gap: &AuditGap) -> Value {
    json!({ "level": "error", "message": { "text": format!("{}: {}", gap.of, gap.because) } })
}
