//! What a watch tells: one event each, as a sentence for people and as JSON for programs.

use crate::baseline::ChangeLine;
use crate::words::moment;
use polder_model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// One event.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WatchEvent {
    /// `polder-event/1`.
    pub schema: String,
    /// When it was told.
    pub when: Timestamp,
    /// The host.
    pub host: String,
    /// What kind: `started`, `changed`, `with`, `more`, `again`,
    /// `accepted`, `proved`, `blind`, `stopped`, `problem`.
    pub kind: String,
    /// Number of the baseline it is about.
    pub baseline: u64,
    /// The digest that stands for that baseline.
    #[serde(default)]
    pub root: String,
    /// What is not as it was, of `changed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeLine>,
    /// How the change ends, as a digest: what was told once is not told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The path as hexadecimal digits, which no escaping changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    /// What was told with it: paths as hexadecimal digits, with the digests of how they end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<(String, String)>,
    /// Who did it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<WhoLine>,
    /// Everything else, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub says: String,
}

/// A process that touched a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhoLine {
    /// Its number.
    pub pid: u32,
    /// The program; none where it was gone before anybody could ask.
    pub executable: Option<String>,
    /// The user it ran as.
    pub user: Option<String>,
    /// The user who logged in, whoever it became; none for what the system started.
    pub login: Option<String>,
    /// The session of that login, as the kernel counts them.
    pub session: Option<u32>,
    /// The programs it comes from, nearest first.
    pub ancestors: Vec<String>,
}

/// Words for kinds that need any.
fn head(event: &WatchEvent) -> String {
    let Some(change) = &event.change else {
        return match event.kind.as_str() {
            "again" => format!("as it was again: {}", event.says),
            "accepted" => format!("accepted into the baseline: {}", event.says),
            "blind" => format!("blind: {}", event.says),
            "problem" => format!("problem: {}", event.says),
            _ => event.says.clone(),
        };
    };
    let mut out = format!("{} {}", change.what, change.path);
    if !change.differences.is_empty() {
        let _ = write!(out, ": {}", change.differences.join("; "));
    }
    if change.below > 0 {
        let _ = write!(out, " (with {} below it)", change.below);
    }
    out
}

/// An event as lines of text, the first of which says all that matters.
pub fn event_text(event: &WatchEvent) -> String {
    let when = moment(event.when);
    let mut out = format!("{when}  {}\n", head(event).replace('\n', "\n    "));
    let mut line = |name: &str, text: &str| {
        if !text.is_empty() {
            let _ = writeln!(out, "    {name:<9} {text}");
        }
    };
    if let Some(who) = &event.who {
        line("by", &who_text(who));
    }
    let Some(change) = &event.change else { return out };
    let technique = change.technique.as_ref().map(|it| format!(" (ATT&CK {it})"));
    if !change.means.is_empty() {
        line("meaning", &format!("{}{}", change.means.join("; "), technique.unwrap_or_default()));
    }
    if let Some(package) = &change.package {
        line("package", package);
    }
    if let Some(since) = change.since {
        line("since", &moment(since));
    }
    line("put back", &put_back(change));
    out
}

/// The command that puts it back, where there is one.
fn put_back(change: &ChangeLine) -> String {
    let kind = change.after.as_ref().or(change.before.as_ref()).map(|it| it.kind.as_str());
    match (change.what.as_str(), kind) {
        // What was mounted there before is in use, whatever its device is called now.
        ("mounted", _) if change.technique.is_some() => format!("umount {}", quoted(&change.path)),
        ("mounted", _) => String::new(),
        ("unmounted" | "loaded" | "unloaded" | "unverifiable", _) => String::new(),
        (_, Some("file" | "symbolic link")) => format!("polder restore {}", quoted(&change.path)),
        _ => String::new(),
    }
}

/// As a shell takes it: what was escaped to be shown is written so that the shell makes the bytes again.
fn quoted(path: &str) -> String {
    match path.contains('\\') {
        false => polder_model::quoted(path),
        true => format!("$'{}'", path.replace('\'', "\\'").replace("\\u{", "\\x").replace('}', "")),
    }
}

/// One line for a log: no newline in it.
pub fn event_line(event: &WatchEvent) -> String {
    let by = event.who.as_ref().map(|it| format!(", by {}", who_text(it))).unwrap_or_default();
    let means = event.change.as_ref().map(|it| it.means.join("; ")).unwrap_or_default();
    let means = if means.is_empty() { means } else { format!(" [{means}]") };
    // What a log takes for an end must not be in it.
    format!("{}{by}{means}", head(event)).replace('\n', " ")
}

fn who_text(who: &WhoLine) -> String {
    let program =
        who.executable.as_deref().unwrap_or("a program that was gone before it was known");
    let mut out = format!("{program} (process {})", who.pid);
    if let Some(user) = &who.user {
        let _ = write!(out, ", user {user}");
    }
    match (&who.login, who.session) {
        (Some(login), Some(session)) => {
            let _ = write!(out, ", logged in as {login} in session {session}");
        }
        (Some(login), None) => {
            let _ = write!(out, ", logged in as {login}");
        }
        (None, _) => {}
    }
    if !who.ancestors.is_empty() {
        let _ = write!(out, ", below {}", who.ancestors.join(" < "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_told_in_one_line_and_in_full() {
        let event: WatchEvent = serde_json::from_value(serde_json::json!({
            "schema": "polder-event/1", "when": 0, "host": "h", "kind": "changed", "baseline": 3,
            "change": {
                "path": "/etc/ld.so.preload", "what": "added", "differences": [],
                "means": ["every program loads what it names"], "technique": "T1574.006",
                "weight": "stays", "package": null, "restore": null, "since": 0, "below": 0,
                "before": null, "after": null,
            },
            "who": { "pid": 7, "executable": "/usr/bin/touch", "user": "root", "login": "ada",
                "session": 4, "ancestors": ["/usr/bin/bash", "/usr/sbin/sshd"] },
        }))
        .unwrap();
        let text = event_text(&event);
        assert!(text.contains("added /etc/ld.so.preload\n"), "{text}");
        assert!(text.contains("logged in as ada in session 4"), "{text}");
        assert!(text.contains("(ATT&CK T1574.006)"), "{text}");
        let line = event_line(&event);
        assert!(line.contains("/usr/bin/touch (process 7)") && !line.contains('\n'), "{line}");
    }
}
