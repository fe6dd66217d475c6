//! `polder config`: every setting with its value and where it comes from.

use super::Globals;
use crate::failure::Failure;
use crate::flags::{Config, ConfigCommand};
use crate::{config, output};
use serde_json::json;
use std::fmt::Write as _;

pub(super) fn run(flags: &Config, globals: &Globals) -> Result<u8, Failure> {
    let ConfigCommand::Show { origin, json } = flags.command;
    let configuration = config::read(globals.config.as_deref())?;
    if json {
        output::print_json(
            &json!({ "schema": "polder-config/1", "settings": configuration.shown }),
        )?;
        return Ok(0);
    }
    let mut out = String::new();
    for it in &configuration.shown {
        let from = if origin { format!("  # {}", it.origin) } else { String::new() };
        let _ = writeln!(out, "{} = {}{from}", it.name, it.value);
    }
    output::print(&out)?;
    Ok(0)
}
