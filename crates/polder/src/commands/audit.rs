//! `polder audit`: known flaws of the libraries that programs are built with.

use super::Globals;
use crate::failure::Failure;
use crate::flags::{Audit, AuditFormat, Target};
use crate::{output, session};
use polder_advisories::{Feeds as Known, covers_libraries};
use polder_facts::{LockFile, LockFiles};
use polder_model::Timestamp;
use polder_model::facts::{Library, LibraryFlaw, Verdict};
use polder_report::{AuditFile, AuditGap, AuditView, Upgrade, audit_osv, audit_sarif, audit_text};
use polder_store::Feeds;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

pub(super) fn run(flags: &Audit, globals: &Globals) -> Result<u8, Failure> {
    let host = session::open(&flags.target, globals)?;
    let paths = paths(flags)?;
    let found = LockFiles::read(host.as_ref(), &paths, flags.programs);
    let mut unknown: Vec<AuditGap> = found
        .unread
        .iter()
        .map(|(path, because)| gap(path.display().to_string(), because.clone()))
        .collect();
    if found.files.is_empty() && unknown.is_empty() {
        let text = "no lock file was found, and nothing that an installer left";
        return Err(Failure::usage(text).hint("`polder audit --help` lists the files it reads"));
    }
    let ecosystems: BTreeSet<&str> = found.files.iter().map(|it| it.ecosystem).collect();
    let sections = sections(globals, &ecosystems)?;
    let known = Known::of(&sections).map_err(Failure::look)?;
    let now = Timestamp(jiff::Timestamp::now().as_second());
    for ecosystem in &ecosystems {
        let coverage = known.coverage_of(ecosystem, now);
        if let Some(because) = coverage.because() {
            unknown.push(gap((*ecosystem).to_string(), because.into()));
        }
    }
    let files: Vec<AuditFile> = files(&found.files, &known, &mut unknown);
    let view = AuditView::new(files, unknown);
    match flags.format {
        AuditFormat::Text => output::print(&audit_text(&view, flags.all))?,
        AuditFormat::Json => output::print_json(&view)?,
        AuditFormat::Osv => output::print_json(&audit_osv(&view))?,
        AuditFormat::Sarif => {
            output::print_json(&audit_sarif(&view, env!("CARGO_PKG_VERSION")))?;
        }
    }
    if !matches!(flags.format, AuditFormat::Text | AuditFormat::Json) {
        for it in &view.unknown {
            let text = format!("{}: {}", it.of, it.because);
            output::say(&Failure::look(text).text(globals.color));
        }
    }
    Ok(match (view.flaw_count(), view.unknown.is_empty()) {
        (0, true) => 0,
        (0, false) => 3,
        _ => 1,
    })
}

fn gap(of: String, because: String) -> AuditGap {
    AuditGap { of, because }
}

/// Whole paths: what is shown must be found again from anywhere.
fn paths(flags: &Audit) -> Result<Vec<PathBuf>, Failure> {
    let is_elsewhere = flags.target.root.is_some() || flags.target.from.is_some();
    let here = if is_elsewhere { PathBuf::from("/") } else { PathBuf::from(".") };
    let given = if flags.paths.is_empty() { vec![here] } else { flags.paths.clone() };
    let whole = |path: &PathBuf| {
        // Below a root, paths are those of that root.
        let path = if is_elsewhere { PathBuf::from("/").join(path) } else { path.clone() };
        std::path::absolute(&path).map_err(|error| {
            Failure::usage(format!("`{}`: {error}", path.display()))
                .hint("Name a lock file, or a folder that has some below it")
        })
    };
    given.iter().map(whole).collect()
}

type Sections = Vec<(polder_advisories::SectionInfo, Vec<u8>)>;

fn sections(globals: &Globals, ecosystems: &BTreeSet<&str>) -> Result<Sections, Failure> {
    let Some(folder) = session::state_folder(globals.state.as_deref(), &Target::default()) else {
        return Ok(Vec::new());
    };
    let wanted: Vec<&str> = ecosystems.iter().copied().collect();
    Feeds::of(&folder).sections(|it| covers_libraries(it, &wanted)).map_err(|error| {
        Failure::look(error).hint("`polder feed verify` says which part of the index is damaged")
    })
}

fn files(read: &[LockFile], known: &Known<'_>, unknown: &mut Vec<AuditGap>) -> Vec<AuditFile> {
    // Many programs are built with the same libraries.
    let mut seen: HashMap<&Library, Vec<_>> = HashMap::new();
    let mut free: HashMap<Library, Option<String>> = HashMap::new();
    let mut files = Vec::new();
    for file in read {
        let path = file.path.display().to_string();
        if let Some(because) = &file.unread {
            unknown.push(gap(path.clone(), format!("it cannot be read: {because}")));
        }
        let mut all = Vec::new();
        for library in &file.locked.libraries {
            all.extend(seen.entry(library).or_insert_with(|| known.flaws_of(library)).clone());
        }
        let (unclear, all): (Vec<LibraryFlaw>, Vec<_>) =
            all.into_iter().partition(|it| matches!(it.verdict, Verdict::Unknown { .. }));
        for it in unclear {
            if let Verdict::Unknown { because } = it.verdict {
                let what = format!("whether {} has {}", it.library.name, it.advisory);
                unknown.push(gap(path.clone(), format!("{what}: {because}")));
            }
        }
        let (flaws, notices): (Vec<LibraryFlaw>, _) = all.into_iter().partition(|it| {
            it.informational.is_empty() && !matches!(it.verdict, Verdict::Stated { .. })
        });
        let with_flaws: BTreeSet<&Library> = flaws.iter().map(|it| &it.library).collect();
        let upgrade = |it: &Library| {
            let free = free.entry(it.clone()).or_insert_with(|| known.free_version(it));
            Upgrade { library: it.clone(), free: free.clone() }
        };
        let upgrades = with_flaws.into_iter().map(upgrade).collect();
        if let Some(because) = file.locked.incomplete {
            unknown.push(gap(path.clone(), because.into()));
        }
        if file.locked.elsewhere > 0 {
            let because = match file.locked.elsewhere {
                1 => {
                    "1 library comes from a repository, an address or another registry".to_string()
                }
                count => format!(
                    "{count} libraries come from repositories, addresses or other registries"
                ),
            };
            unknown.push(gap(path.clone(), because));
        }
        if file.locked.unpinned > 0 {
            let because = match file.locked.unpinned {
                1 => "1 library has no version there".to_string(),
                count => format!("{count} libraries have no version there"),
            };
            unknown.push(gap(path.clone(), because));
        }
        files.push(AuditFile {
            path,
            ecosystem: file.ecosystem,
            libraries: file.locked.libraries.len(),
            unpinned: file.locked.unpinned,
            elsewhere: file.locked.elsewhere,
            packaged: file.packaged.len(),
            upgrades,
            flaws,
            notices,
        });
    }
    files
}
