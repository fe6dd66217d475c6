//! An error as a person meets it: whose fault, the whole chain, what to do.

use std::error::Error;
use std::fmt::Write as _;

/// Whose fault a failure is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The command line or the configuration is wrong: 2.
    Usage,
    /// The host, a file or a disk is in the way: 3.
    Look,
    /// A change failed and all is as before: 4.
    TakenBack,
    /// A change failed and not all is as before: 5.
    Stuck,
    /// Polder itself is wrong: 70.
    Internal,
}

/// A failure with its cause and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: FailureKind,
    error: Box<dyn Error + Send + Sync>,
    hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, error: error.into(), hints: Vec::new() }
    }

    pub(crate) fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(FailureKind::Usage, error)
    }

    pub(crate) fn look(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(FailureKind::Look, error)
    }

    pub(crate) fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(FailureKind::Internal, error)
            .hint("This is a bug in Polder. Report it with the command that shows it")
    }

    /// What went wrong, without what to do.
    pub(crate) fn says(&self) -> String {
        self.error.to_string()
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self.kind {
            FailureKind::Usage => 2,
            FailureKind::Look => 3,
            FailureKind::TakenBack => 4,
            FailureKind::Stuck => 5,
            FailureKind::Internal => 70,
        }
    }

    /// Whether whoever reads the output has had enough of it.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = Some(self.error.as_ref());
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<std::io::Error>() {
                return error.kind() == std::io::ErrorKind::BrokenPipe;
            }
            cause = error.source();
        }
        false
    }

    pub(crate) fn text(&self, color: bool) -> String {
        let paint = |code: &str, text: &str| {
            if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
        };
        let mut out = String::new();
        let _ = writeln!(out, "{}: {}", paint("1;31", "error"), shown(&self.error.to_string()));
        let mut cause = self.error.source();
        while let Some(error) = cause {
            let _ = writeln!(out, "  because: {}", shown(&error.to_string()));
            cause = error.source();
        }
        for hint in &self.hints {
            let _ = writeln!(out, "  {}: {}", paint("1", "hint"), shown(hint));
        }
        out
    }
}

/// What is quoted in an error must not command a terminal; lines stay lines.
fn shown(text: &str) -> String {
    text.lines().map(polder_model::printable_str).collect::<Vec<_>>().join("\n")
}
