//! `polder sbom`: what is installed, in the forms that other programs read.

use super::Globals;
use crate::failure::Failure;
use crate::flags::{Sbom, SbomFormat};
use crate::{output, session};
use polder_facts::{LockFile, LockFiles};
use polder_model::Coverage;
use polder_report::{FoundLibrary, cyclonedx, openvex, spdx};

pub(super) fn run(flags: &Sbom, globals: &Globals) -> Result<u8, Failure> {
    if flags.format == SbomFormat::Openvex && !flags.files.is_empty() {
        return Err(Failure::usage("`--format openvex` tells of packages and of what runs")
            .hint("Leave `--files` out, or ask `polder audit FOLDER`"));
    }
    let host = session::open(&flags.target, globals)?;
    // The flaws are made from the packages and the system, so both are looked at.
    let mut facts = session::look_only(host.as_ref(), "flaws", globals, &flags.target);
    if flags.format == SbomFormat::Openvex {
        let more = session::look_only(host.as_ref(), "application-flaws", globals, &flags.target);
        facts.application_flaws = more.application_flaws;
    }
    let found = LockFiles::read(host.as_ref(), &flags.files, true);
    let libraries: Vec<FoundLibrary> = found.files.iter().flat_map(libraries).collect();
    let version = env!("CARGO_PKG_VERSION");
    output::print_json(&match flags.format {
        SbomFormat::Cyclonedx => cyclonedx(&facts, &libraries, version),
        SbomFormat::Spdx => spdx(&facts, &libraries, version),
        SbomFormat::Openvex => openvex(&facts, version),
    })?;
    let tables = match flags.format {
        SbomFormat::Openvex => vec![
            ("known flaws", &facts.flaws.coverage),
            ("known flaws of libraries", &facts.application_flaws.coverage),
        ],
        SbomFormat::Cyclonedx | SbomFormat::Spdx => vec![("packages", &facts.packages.coverage)],
    };
    let gap = |(title, coverage): (&str, &Coverage)| {
        let because = coverage.because().filter(|_| !coverage.empty_means_none());
        because.map(|it| format!("not all {title} are known: {it}"))
    };
    let mut gaps: Vec<String> = tables.into_iter().filter_map(gap).collect();
    let unread = found.unread.iter().map(|(path, because)| (path, because.as_str()));
    let damaged = found.files.iter().filter_map(|it| Some((&it.path, it.unread.as_deref()?)));
    for (path, because) in unread.chain(damaged) {
        gaps.push(format!("`{}` cannot be read: {because}", path.display()));
    }
    for text in &gaps {
        output::say(&Failure::look(text.as_str()).text(globals.color));
    }
    Ok(if gaps.is_empty() { 0 } else { 3 })
}

/// The libraries of one file, those of packages of the distribution marked.
fn libraries(file: &LockFile) -> impl Iterator<Item = FoundLibrary> {
    let own = file.locked.libraries.iter().map(|it| (it, false));
    let packaged = file.packaged.iter().map(|it| (it, true));
    own.chain(packaged).map(|(library, is_packaged)| FoundLibrary {
        library: library.clone(),
        file: polder_model::printable(file.path.as_os_str().as_encoded_bytes()),
        is_packaged,
    })
}
