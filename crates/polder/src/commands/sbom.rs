//! `polder sbom`: what is installed, in the forms that other programs read.

use super::Globals;
use crate::failure::Failure;
use crate::flags::{Sbom, SbomFormat};
use crate::{output, session};
use polder_report::{cyclonedx, openvex, spdx};

pub(super) fn run(flags: &Sbom, globals: &Globals) -> Result<u8, Failure> {
    let host = session::open(&flags.target)?;
    // The flaws are made from the packages and the system, so both are looked at.
    let facts = session::look_only(host.as_ref(), "flaws", globals, &flags.target);
    let version = env!("CARGO_PKG_VERSION");
    output::print_json(&match flags.format {
        SbomFormat::Cyclonedx => cyclonedx(&facts, version),
        SbomFormat::Spdx => spdx(&facts, version),
        SbomFormat::Openvex => openvex(&facts, version),
    })?;
    let (title, coverage) = match flags.format {
        SbomFormat::Openvex => ("known flaws", &facts.flaws.coverage),
        SbomFormat::Cyclonedx | SbomFormat::Spdx => ("packages", &facts.packages.coverage),
    };
    match coverage.because().filter(|_| !coverage.empty_means_none()) {
        None => Ok(0),
        Some(because) => {
            let text = format!("not all {title} are known: {because}");
            output::say(&Failure::look(text).text(globals.color));
            Ok(3)
        }
    }
}
