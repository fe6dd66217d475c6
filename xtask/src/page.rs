//! Opens the page in headless Chromium: no console error, no violation found by axe-core.

use crate::run;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The checker, from the npm registry; used here only.
const AXE: &str = "axe-core@4";

/// Runs axe on the loaded page and leaves its verdict in the document.
const CHECK: &str = "\
document.querySelectorAll('details').forEach((it) => { it.open = true; });
axe.run(document, { resultTypes: ['violations'] }).then((result) => {
  const lines = result.violations.map((it) => `${it.id}: ${it.help}: ${it.nodes.map((n) => n.html).slice(0, 2).join(' | ')}`);
  const verdict = document.createElement('pre');
  verdict.id = 'axe-verdict';
  verdict.textContent = `AXE ${result.violations.length} VIOLATIONS\\n${lines.join('\\n')}\\nWIDE ${document.documentElement.scrollWidth > innerWidth}\\nEND`;
  document.body.append(verdict);
});";

/// Checks the page of a recorded host, in light and dark, wide and narrow.
pub(crate) fn run() -> Result<(), String> {
    if !run::is_there("chromium") {
        println!("SKIPPED: the page is not checked, since chromium is not installed");
        return Ok(());
    }
    let folder = Path::new("target/page");
    fs::create_dir_all(folder)
        .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let page = folder.join("report.html");
    let arguments = [
        "assess",
        "--quiet",
        "--from",
        "tests/hosts/shop-neglected.polder",
        "--config",
        "tests/hosts/polder.toml",
        "--html",
    ];
    let status = Command::new(run::polder()).args(arguments).arg(&page).status();
    // Exit code 1 says that the host is above the appetite.
    if !status.is_ok_and(|it| matches!(it.code(), Some(0 | 1))) {
        return Err("polder did not write the page; run `cargo build --release` first".into());
    }
    let Some(axe) = axe(folder) else {
        println!(
            "SKIPPED: the page is opened, but not checked by axe-core, which npm could not fetch"
        );
        return open(&page, "1280,900", &[]).map(|_| ());
    };
    let text = fs::read_to_string(&page).map_err(|error| error.to_string())?;
    // `</script>` within the checker would end its element early.
    let axe = axe.replace("</script", "<\\/script");
    let checked = format!("{text}<script>{axe}</script><script>{CHECK}</script>");
    let checked_path = folder.join("checked.html");
    fs::write(&checked_path, checked).map_err(|error| error.to_string())?;
    for (name, window, flags) in [
        ("light", "1280,900", &["--blink-settings=preferredColorScheme=1"][..]),
        ("dark", "1280,900", &["--blink-settings=preferredColorScheme=0"]),
        ("phone", "500,900", &["--blink-settings=preferredColorScheme=1"]),
    ] {
        let answer = open(&checked_path, window, flags)?;
        let verdict = answer.split("AXE ").nth(2).or_else(|| answer.split("AXE ").nth(1));
        let verdict = verdict.and_then(|it| it.split("\nEND").next()).unwrap_or("gave no verdict");
        let is_clean = answer.contains("AXE 0 VIOLATIONS") && !answer.contains("\nWIDE true");
        println!("page, {name}: {}", verdict.lines().next().unwrap_or_default());
        if !is_clean {
            return Err(format!("the page fails in {name}:\n{verdict}"));
        }
    }
    Ok(())
}

/// The checker's text, fetched once by npm.
fn axe(folder: &Path) -> Option<String> {
    let path: PathBuf = folder.join("node_modules/axe-core/axe.min.js");
    if !path.is_file() && run::is_there("npm") {
        let prefix = folder.to_str()?;
        run::program(
            "npm",
            &["install", "--silent", "--no-audit", "--no-fund", "--prefix", prefix, AXE],
        )
        .ok()?;
    }
    fs::read_to_string(path).ok()
}

/// Loads a page, fails on console errors, and returns the document after its scripts have run.
fn open(page: &Path, window: &str, flags: &[&str]) -> Result<String, String> {
    let address = fs::canonicalize(page).map_err(|error| error.to_string())?;
    let profile = Path::new("target/page/profile");
    let _ = fs::remove_dir_all(profile);
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--virtual-time-budget=15000", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--window-size={window}"))
        .args(flags)
        .arg(format!("file://{}", address.display()))
        .output()
        .map_err(|error| format!("chromium cannot be run: {error}"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    if let Some(line) = log.lines().find(|line| line.contains("CONSOLE") && !line.contains("axe")) {
        return Err(format!("the page writes to the console: {line}"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
