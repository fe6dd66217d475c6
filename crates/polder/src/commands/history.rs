//! `polder history`: earlier assessments and decisions.

use super::Globals;
use crate::failure::Failure;
use crate::flags::History;
use crate::{output, session};
use polder_host::Host;
use polder_report::{Earlier, frequency, last_day, moment};
use polder_store::Store;
use serde_json::json;
use std::fmt::Write as _;

pub(super) fn run(flags: &History, globals: &Globals) -> Result<u8, Failure> {
    let host = session::open(&flags.target, globals)?;
    let name = host_name(host.as_ref());
    let Some(folder) = session::state_folder(globals.state.as_deref(), &flags.target) else {
        return Err(Failure::usage("recordings and folders have no history of their own")
            .hint("--state FOLDER names one"));
    };
    let store = Store::open(&folder).map_err(Failure::look)?;
    let stored = store.history(&name, flags.most).map_err(Failure::look)?;
    let decisions = store.decisions(&name).map_err(Failure::look)?;
    let earlier: Vec<Earlier> =
        stored.iter().filter_map(|it| serde_json::from_str(&it.text).ok()).collect();
    if flags.json {
        output::print_json(&json!({
            "schema": "polder-history/1",
            "host": name,
            "assessments": earlier,
            "decisions": decisions,
        }))?;
        return Ok(0);
    }
    let mut out = String::new();
    if earlier.is_empty() {
        let _ = writeln!(out, "No assessment of {name} is kept in {}", folder.display());
    } else {
        let _ =
            writeln!(out, "{:<22} {:<18} {:<28} findings", "assessed", "any loss a year", "range");
    }
    for it in &earlier {
        let range = format!("{} to {}", frequency(it.low), frequency(it.high));
        let _ = writeln!(
            out,
            "{:<22} {:<18} {range:<28} {}",
            moment(it.taken),
            frequency(it.any),
            it.findings.len()
        );
    }
    if !decisions.is_empty() {
        out.push_str("\nDecided on purpose\n");
    }
    for it in &decisions {
        let _ = writeln!(
            out,
            "  {} {} until {} by {}: {}",
            it.kind.word(),
            it.finding,
            last_day(it.until),
            it.owner,
            it.because
        );
    }
    output::print(&out)?;
    Ok(0)
}

/// Name under which a host is remembered, without looking at all of it.
pub(super) fn host_name(host: &dyn Host) -> String {
    let read = |path: &str| host.read(path.as_ref(), 4096).ok();
    let bytes =
        read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname")).unwrap_or_default();
    let name = polder_model::printable(bytes.trim_ascii());
    if name.is_empty() { "localhost".into() } else { name }
}
