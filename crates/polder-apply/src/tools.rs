//! The machine to act on: a root folder and a fixed list of programs.

use crate::ApplyError;
use polder_access::Ambient;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Characters of a program's last words that are kept.
const SAYS_MAX: usize = 400;

/// Where changes are made.
#[derive(Clone, Debug)]
pub struct Ground {
    root: PathBuf,
    folders: Vec<PathBuf>,
    around: Ambient,
}

impl Ground {
    /// This machine.
    pub fn here() -> Self {
        let folders = ["/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
        Self {
            root: "/".into(),
            folders: folders.iter().map(PathBuf::from).collect(),
            around: Ambient::default(),
        }
    }

    /// Files below another root, and programs from one folder: for tests.
    pub fn of(root: impl Into<PathBuf>, programs: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), folders: vec![programs.into()], around: Ambient::default() }
    }

    /// Says how servers of databases are connected to, which may need secrets: no journal has those.
    #[must_use]
    pub fn around(self, around: Ambient) -> Self {
        Self { around, ..self }
    }

    /// How servers of databases are connected to.
    pub(crate) fn ambient(&self) -> &Ambient {
        &self.around
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn find(&self, tool: &str) -> Result<PathBuf, ApplyError> {
        let found = self.folders.iter().map(|it| it.join(tool)).find(|it| it.is_file());
        found.ok_or_else(|| ApplyError::NoTool { tool: tool.into() })
    }

    /// Runs a program with nothing of our environment; returns whether it ended well, and its words.
    pub(crate) fn ask(&self, tool: &str, arguments: &[&str]) -> Result<(bool, String), ApplyError> {
        let failed = |says: String| ApplyError::Tool {
            command: format!("{tool} {}", arguments.join(" ")),
            says,
        };
        let output = Command::new(self.find(tool)?)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("POLDER_ROOT", &self.root)
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(error.to_string()))?;
        let mut says = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            says.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        Ok((output.status.success(), says))
    }

    /// Runs a program that must end well.
    pub(crate) fn run(&self, tool: &str, arguments: &[&str]) -> Result<String, ApplyError> {
        match self.ask(tool, arguments)? {
            (true, says) => Ok(says),
            (false, says) => {
                let says = says.trim();
                let start = says.char_indices().rev().nth(SAYS_MAX).map_or(0, |(at, _)| at);
                Err(ApplyError::Tool {
                    command: format!("{tool} {}", arguments.join(" ")),
                    says: says.get(start..).unwrap_or(says).replace('\n', "; "),
                })
            }
        }
    }
}
