//! Module streams: of the same program in several versions, one may be chosen (modulemd v2).

use super::{setting, settings};
use crate::reading::{field, files_in, text};
use polder_host::{Host, HostError};
use std::collections::{BTreeMap, BTreeSet};

/// What is said of modules: by the repositories, and by who runs the host.
#[derive(Default)]
pub(super) struct Modules {
    /// Module and stream of every package that belongs to one, by `name-epoch:version-release.arch`.
    streams_of: BTreeMap<String, Vec<(String, String)>>,
    /// The stream of each module that is taken when nobody chose.
    defaults: BTreeMap<String, String>,
    /// The stream somebody chose; empty where somebody switched the module off.
    chosen: BTreeMap<String, String>,
    /// Names of packages in streams that are taken.
    names: BTreeSet<String>,
}

impl Modules {
    /// Reads what was chosen: `/etc/dnf/modules.d/*.module`.
    pub(super) fn chosen(host: &dyn Host) -> Result<Self, HostError> {
        let mut modules = Self::default();
        for path in files_in(host, "/etc/dnf/modules.d", |it| it.ends_with(".module"))? {
            let text = text(host, &path)?;
            for (module, ..) in settings(&text) {
                let is_off = setting(&text, module, "state") == Some("disabled");
                let stream = setting(&text, module, "stream").filter(|_| !is_off).unwrap_or("");
                if is_off || !stream.is_empty() {
                    modules.chosen.insert(module.into(), stream.into());
                }
            }
        }
        Ok(modules)
    }

    /// Adds what one repository says of modules, as stanzas.
    pub(super) fn add(&mut self, text: &str) {
        for stanza in text.split("\n\n") {
            let field = |name: &str| field(stanza, name);
            let (module, stream) = (field("Module"), field("Stream"));
            if !field("Default").is_empty() {
                self.defaults.insert(module.into(), field("Default").into());
            }
            for package in field("Packages").split(' ').filter(|it| !it.is_empty()) {
                let streams = self.streams_of.entry(package.into()).or_default();
                streams.push((module.into(), stream.into()));
            }
        }
    }

    /// Must be called when all is added.
    pub(super) fn finish(&mut self) {
        let taken = self
            .streams_of
            .iter()
            .filter(|(_, them)| them.iter().any(|(module, stream)| self.is_taken(module, stream)));
        let name = |package: &String| super::name_version_release(package).map(|it| it.0.into());
        self.names = taken.filter_map(|(package, _)| name(package)).collect();
    }

    /// Whether packages of a stream may be installed.
    pub(super) fn is_taken(&self, module: &str, stream: &str) -> bool {
        let chosen = self.chosen.get(module).or_else(|| self.defaults.get(module));
        chosen.is_some_and(|it| it == stream)
    }

    /// Whether a package may be installed: one of a stream that is taken, or one of no stream whose
    /// name no such stream has.
    pub(super) fn allow(&self, name: &str, version: &str, architecture: &str) -> bool {
        let package = format!("{name}-{version}.{architecture}");
        match self.streams_of.get(&package) {
            Some(streams) => streams.iter().any(|(module, stream)| self.is_taken(module, stream)),
            // Built for a module that no repository describes: nobody knows which stream it is.
            None if version.contains(".module") => false,
            None => !self.names.contains(name),
        }
    }
}
