//! `polder feed update`: fetches feeds, and imports what changed.

use super::Globals;
use super::feed::{refused, said};
use crate::failure::Failure;
use crate::flags::{FeedUpdate, Target};
use crate::{config, output, session};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use polder_model::facts::Facts;
use polder_model::printable_str;
use polder_store::{Feeds, FetchError, Fetched, Fetcher};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

const KEV: &str =
    "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json";
const EPSS: &str = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz";
const DEBIAN: &str = "https://security-tracker.debian.org/tracker/data/json";
/// Before the name of an ecosystem; `/all.zip` stands behind it.
const OSV: &str = "https://osv-vulnerabilities.storage.googleapis.com/";

/// Where systems keep the certificates they trust.
const BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

pub(super) fn run(
    flags: &FeedUpdate,
    feeds: &Feeds,
    folder: &Path,
    globals: &Globals,
) -> Result<u8, Failure> {
    let configured = config::read(globals.config.as_deref())?.feeds;
    let names = match (flags.names.is_empty(), configured.is_empty()) {
        (false, _) => flags.names.clone(),
        (true, false) => configured,
        (true, true) => for_host(globals)?,
    };
    let urls: Vec<(String, String)> =
        names.iter().map(|name| Ok((name.clone(), url(name)?))).collect::<Result<_, Failure>>()?;
    if flags.dry_run {
        let lines: Vec<String> = urls
            .iter()
            .map(|(name, url)| format!("{}: {}\n", printable_str(name), printable_str(url)))
            .collect();
        output::print(&lines.concat())?;
        return Ok(0);
    }
    let trusted = trusted()?;
    let fetcher = Fetcher::new(folder, trusted.as_deref()).map_err(failed)?;
    let mut worst = 0;
    for (name, url) in &urls {
        if let Err(failure) = update(name, url, &fetcher, feeds, flags.anyway, globals) {
            // One feed that cannot be had is no reason to do without the others.
            worst = failure.exit_code().max(worst);
            output::say(&failure.text(globals.color));
        }
    }
    Ok(worst)
}

fn update(
    name: &str,
    url: &str,
    fetcher: &Fetcher,
    feeds: &Feeds,
    anyway: bool,
    globals: &Globals,
) -> Result<(), Failure> {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    let style =
        ProgressStyle::with_template("  {msg} {bar:24} {bytes}/{total_bytes} {bytes_per_sec}");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(name.to_string());
    if !globals.quiet && std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    // What stands at an address bears its last part; OSV calls each of its files the same.
    let plain = name.split(['?', '#']).next().unwrap_or(name);
    let last = plain.rsplit('/').next().filter(|it| !it.is_empty());
    let file = if name.contains("://") { last.unwrap_or("a feed") } else { name };
    // Without what was imported last, "not changed" would leave nothing.
    let index = feeds.index().ok().flatten().unwrap_or_default();
    let is_there = index.sections.iter().any(|it| it.file == file);
    let fetched = fetcher.fetch(url, is_there, &mut |got, wanted| {
        if let Some(wanted) = wanted {
            bar.set_length(wanted);
        }
        bar.set_position(got);
    });
    bar.finish_and_clear();
    let path = match fetched.map_err(failed)? {
        Fetched::Unchanged if globals.quiet => return Ok(()),
        Fetched::Unchanged => return output::print(&format!("{name}: not changed since\n")),
        Fetched::File(path) => path,
    };
    let now = jiff::Timestamp::now().as_second();
    match feeds.import_as(&path, file, now, anyway) {
        Ok(imported) => {
            fetcher.imported(url).map_err(Failure::look)?;
            if !globals.quiet {
                output::print(&said(&imported))?;
            }
            Ok(())
        }
        Err(error) => {
            fetcher.discard(url).map_err(Failure::look)?;
            Err(refused(error).hint(format!("It was fetched as `{}`", printable_str(name))))
        }
    }
}

fn failed(error: FetchError) -> Failure {
    let hint = match &error {
        FetchError::Plain { .. } => {
            "Use https://, or fetch the file yourself and `polder feed import` it"
        }
        FetchError::Cut { .. } => "Run it again: it goes on from there",
        FetchError::Status { .. } => {
            "The address may have changed: `polder feed update URL` takes another one"
        }
        FetchError::Transport { .. } => {
            "Check the network, the clock and `https_proxy`; `SSL_CERT_FILE` names certificates to trust. Without a way out: fetch the file elsewhere and `polder feed import` it"
        }
        FetchError::User => "Fetch the file yourself and `polder feed import` it",
        FetchError::NoCertificate => "`SSL_CERT_FILE` must name a file of certificates in PEM",
        FetchError::Busy { .. } => "Wait until it is done",
        FetchError::TooLarge { .. } | FetchError::File { .. } => "Check the disk and the address",
    };
    Failure::look(error).hint(hint)
}

/// The address of a feed by its name.
fn url(name: &str) -> Result<String, Failure> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || ".:-".contains(it);
    Ok(match (name, name.strip_prefix("osv:")) {
        ("debian", _) => DEBIAN.into(),
        ("kev", _) => KEV.into(),
        ("epss", _) => EPSS.into(),
        (_, Some(ecosystem))
            if !ecosystem.is_empty() && ecosystem.chars().all(|it| is_plain(it) || it == ' ') =>
        {
            format!("{OSV}{}/all.zip", ecosystem.replace(' ', "%20"))
        }
        (url, _) if url.starts_with("https://") || url.starts_with("http://") => url.into(),
        _ => {
            let text = format!("no feed is called `{name}`");
            let hint = "`debian`, `kev`, `epss`, `osv:ECOSYSTEM` such as `osv:npm`, or an address";
            return Err(Failure::usage(text).hint(hint));
        }
    })
}

/// The feeds that say something of this host.
fn for_host(globals: &Globals) -> Result<Vec<String>, Failure> {
    let target = Target::default();
    let host = session::open(&target, globals)?;
    let facts: Facts = session::look_only(host.as_ref(), "system", globals, &target);
    let system = facts.system_row();
    let (id, version) = system.map_or(("", ""), |it| (it.os_id.as_str(), it.os_version.as_str()));
    let own = match id {
        "debian" => Some("debian".into()),
        "ubuntu" if is_long_term(version) => Some(format!("osv:Ubuntu:{version}:LTS")),
        "ubuntu" => Some(format!("osv:Ubuntu:{version}")),
        _ => None,
    };
    if own.is_none() {
        let says = "no feed of this system's packages is matched yet: only what is exploited and what probably will be is fetched";
        output::say(&Failure::look(says).text(globals.color).replacen("error:", "note:", 1));
    }
    Ok(own.into_iter().chain(["kev".into(), "epss".into()]).collect())
}

/// Whether a release of Ubuntu is one of those kept for long: April of every other year.
fn is_long_term(version: &str) -> bool {
    let year = version.strip_suffix(".04").and_then(|it| it.parse::<u32>().ok());
    year.is_some_and(|it| it % 2 == 0)
}

/// The certificates this system trusts, those of a proxy's owner among them.
#[expect(
    clippy::disallowed_methods,
    reason = "certificates of this machine, whatever host is looked at"
)]
fn trusted() -> Result<Option<Vec<u8>>, Failure> {
    if let Some(path) = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from) {
        let read = std::fs::read(&path);
        return read.map(Some).map_err(|error| {
            Failure::usage(format!("`SSL_CERT_FILE` is `{}`: {error}", path.display()))
                .hint("It names a file of certificates in PEM")
        });
    }
    Ok(BUNDLES.iter().find_map(|path| std::fs::read(path).ok()))
}
