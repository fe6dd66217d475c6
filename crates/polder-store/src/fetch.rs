//! Fetches feeds over TLS: only what changed, and from where the last attempt broke off.
//!
//! Validators and ranges are those of RFC 9110, sections 8.8, 13.1 and 14.

use crate::feeds::FILE_BYTES_MAX;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

/// Attempts in a row that bring nothing.
const ATTEMPTS_MAX: u32 = 3;

/// Attempts in all; a feed that needs more of them comes too slowly to be worth the wait.
const ATTEMPTS_ALL: u32 = 40;

/// Bytes that an attempt must bring to count.
const PROGRESS_MIN: u64 = 1024;

/// Between attempts; longer after each one in vain.
const PAUSE: Duration = Duration::from_secs(2);

/// What one attempt may take before it is broken off and taken up again.
const ATTEMPT: Duration = Duration::from_secs(300);

/// Bytes read at a time.
const PIECE: usize = 64 << 10;

/// Why a feed could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is not one of TLS.
    #[error("`{url}` is not fetched: only https:// tells who answers")]
    Plain {
        /// The address.
        url: String,
    },
    /// The address names a user.
    #[error("an address with a user's name or password in it is not fetched")]
    User,
    /// The file of certificates has none.
    #[error("the file of certificates to trust has no certificate in PEM")]
    NoCertificate,
    /// Another fetch is at work.
    #[error("another `polder feed update` is at work in `{path}`")]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The server says no.
    #[error("`{url}`: the server answers {status}")]
    Status {
        /// The address.
        url: String,
        /// Its answer.
        status: StatusCode,
    },
    /// The connection failed, or whoever answers is not vouched for.
    #[error("cannot fetch `{url}`")]
    Transport {
        /// The address.
        url: String,
        /// What happened.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The answer ended too early.
    #[error("`{url}`: the answer ended after {got} bytes; what came is kept for the next time")]
    Cut {
        /// The address.
        url: String,
        /// Bytes that came in all.
        got: u64,
    },
    /// The file is larger than any feed.
    #[error("`{url}` has more than {FILE_BYTES_MAX} bytes")]
    TooLarge {
        /// The address.
        url: String,
    },
    /// A file here could not be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl FetchError {
    /// Whether another attempt may go better.
    fn may_pass(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Cut { .. } => true,
            Self::Transport { source, .. } => !matches!(
                **source,
                ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::BadUri(_)
            ),
            Self::Plain { .. }
            | Self::User
            | Self::NoCertificate
            | Self::Busy { .. }
            | Self::TooLarge { .. }
            | Self::File { .. } => false,
        }
    }
}

/// What came of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The file is the one imported last.
    Unchanged,
    /// A new file.
    File(PathBuf),
}

/// What is remembered of one address.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memo {
    url: String,
    /// Validator of the file that was imported.
    imported: Option<String>,
    /// Validator of the file that is being fetched.
    partly: Option<String>,
}

/// Fetches into a folder.
#[derive(Debug)]
pub struct Fetcher {
    agent: Agent,
    folder: PathBuf,
}

impl Fetcher {
    /// A fetcher that keeps what it needs below a folder of Polder's. `trusted` are certificates in
    /// PEM; without any those of Mozilla count. Proxies are taken from the environment, as curl does.
    ///
    /// # Errors
    /// When `trusted` holds no certificate: to trust others instead is not what was asked for.
    pub fn new(folder: &Path, trusted: Option<&[u8]>) -> Result<Self, FetchError> {
        let certificates: Vec<Certificate<'static>> = trusted
            .map(|pem| {
                let items = parse_pem(pem).filter_map(Result::ok);
                let certificate = |it| match it {
                    PemItem::Certificate(it) => Some(it),
                    _ => None,
                };
                items.filter_map(certificate).collect()
            })
            .unwrap_or_default();
        let roots = match (trusted, certificates.is_empty()) {
            (None, _) => RootCerts::WebPki,
            (Some(_), true) => return Err(FetchError::NoCertificate),
            (Some(_), false) => RootCerts::new_with_certs(&certificates),
        };
        let agent = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .user_agent(concat!("polder/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(5)
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .timeout_recv_body(Some(ATTEMPT))
            .build();
        let folder = folder.join("downloads");
        Ok(Self { agent: agent.into(), folder })
    }

    /// Fetches a file if it is another one than was imported last; `is_there` says whether that one
    /// still is. `show` is told the bytes that have come, and of how many.
    pub fn fetch(
        &self,
        url: &str,
        is_there: bool,
        show: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Fetched, FetchError> {
        if names_user(url) {
            return Err(FetchError::User);
        }
        if !url.starts_with("https://") && !is_loopback(url) {
            return Err(FetchError::Plain { url: shown(url) });
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(file_error(&self.folder))?;
        let _lock = self.lock()?;
        let (mut attempts, mut in_vain) = (0, 0);
        loop {
            attempts += 1;
            let before = self.bytes_here(url);
            match self.attempt(url, is_there, show) {
                Err(error) if error.may_pass() => {
                    let came = self.bytes_here(url) >= before + PROGRESS_MIN;
                    in_vain = if came { 0 } else { in_vain + 1 };
                    if in_vain >= ATTEMPTS_MAX || attempts >= ATTEMPTS_ALL {
                        return Err(error);
                    }
                    std::thread::sleep(PAUSE * (in_vain + 1));
                }
                other => return other,
            }
        }
    }

    /// Held while a file is fetched: two that write to one part would mix them.
    fn lock(&self) -> Result<File, FetchError> {
        let path = self.folder.join("lock");
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(file_error(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(FetchError::Busy { path: self.folder.clone() }),
            Err(TryLockError::Error(error)) => Err(file_error(&path)(error)),
        }
    }

    /// Remembers that a file was imported, and deletes it.
    pub fn imported(&self, url: &str) -> Result<(), FetchError> {
        let mut memo = self.memo(url);
        memo.imported = memo.partly.take();
        self.remember(&memo)?;
        self.forget_part(url)
    }

    /// Deletes a file that could not be used, so that the next fetch starts anew.
    pub fn discard(&self, url: &str) -> Result<(), FetchError> {
        let mut memo = self.memo(url);
        memo.partly = None;
        self.remember(&memo)?;
        self.forget_part(url)
    }

    fn attempt(
        &self,
        url: &str,
        is_there: bool,
        show: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Fetched, FetchError> {
        let mut memo = self.memo(url);
        // A part can be gone on with only where the server can tell that the file is the same one.
        let have = if memo.partly.is_some() { self.bytes_here(url) } else { 0 };
        // Whoever answers over TLS must not send us on to somebody who does not.
        let is_tls = url.starts_with("https://");
        let mut request = self.agent.get(url).config().https_only(is_tls);
        if !is_tls {
            // This machine answers itself, or not at all.
            request = request.max_redirects(0).proxy(None);
        }
        let mut request = request.build();
        let imported = memo.imported.as_ref().filter(|_| is_there);
        match (&memo.partly, imported) {
            (Some(validator), _) if have > 0 => {
                request =
                    request.header("range", format!("bytes={have}-")).header("if-range", validator);
            }
            (_, Some(validator)) if validator.contains('"') => {
                request = request.header("if-none-match", validator);
            }
            (_, Some(validator)) => request = request.header("if-modified-since", validator),
            (_, None) => {}
        }
        let transport =
            |source| FetchError::Transport { url: shown(url), source: Box::new(source) };
        let mut response = request.call().map_err(transport)?;
        let status = response.status();
        let goes_on = match status {
            StatusCode::NOT_MODIFIED if have == 0 && imported.is_some() => {
                return Ok(Fetched::Unchanged);
            }
            StatusCode::OK => false,
            StatusCode::PARTIAL_CONTENT => {
                let is_same = validator(&response).is_none_or(|it| Some(it) == memo.partly);
                (is_same && starts_at(&response, have)) || {
                    self.discard(url)?;
                    return Err(FetchError::Cut { url: shown(url), got: 0 });
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                self.discard(url)?;
                return Err(FetchError::Cut { url: shown(url), got: 0 });
            }
            _ => return Err(FetchError::Status { url: shown(url), status }),
        };
        if !goes_on {
            // Before its validator is noted: a part must never bear that of another file.
            self.forget_part(url)?;
            memo.partly = validator(&response);
            self.remember(&memo)?;
        }
        let start = if goes_on { have } else { 0 };
        let wanted = header(&response, "content-length").and_then(|it| it.parse::<u64>().ok());
        let wanted = total(&response).or(wanted.map(|it| it.saturating_add(start)));
        self.keep(url, &mut response, start, wanted, show)
    }

    /// Writes the body of an answer behind what is there of the file.
    fn keep(
        &self,
        url: &str,
        response: &mut Response<Body>,
        start: u64,
        wanted: Option<u64>,
        show: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Fetched, FetchError> {
        let path = self.part(url);
        let mut options = OpenOptions::new();
        options.write(true).create(true).append(start > 0).truncate(start == 0).mode(0o600);
        let mut file = options.open(&path).map_err(file_error(&path))?;
        let mut body = response.body_mut().as_reader();
        let mut piece = vec![0; PIECE];
        let mut got = start;
        let is_whole = loop {
            show(got, wanted);
            match body.read(&mut piece) {
                Ok(0) => break wanted.is_none_or(|it| it == got),
                Ok(count) => {
                    let bytes = piece.get(..count).unwrap_or_default();
                    file.write_all(bytes).map_err(file_error(&path))?;
                    got += count as u64;
                }
                Err(_) => break false,
            }
            if got > FILE_BYTES_MAX {
                self.discard(url)?;
                return Err(FetchError::TooLarge { url: shown(url) });
            }
        };
        file.sync_all().map_err(file_error(&path))?;
        match is_whole {
            true => Ok(Fetched::File(path)),
            false => Err(FetchError::Cut { url: shown(url), got }),
        }
    }

    fn key(&self, url: &str) -> PathBuf {
        let digest = polder_advisories::hexadecimal(&Sha256::digest(shown(url).as_bytes()));
        self.folder.join(digest.get(..32).unwrap_or(&digest))
    }

    fn part(&self, url: &str) -> PathBuf {
        self.key(url).with_extension("part")
    }

    fn bytes_here(&self, url: &str) -> u64 {
        fs::metadata(self.part(url)).map_or(0, |it| it.len())
    }

    fn forget_part(&self, url: &str) -> Result<(), FetchError> {
        let path = self.part(url);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(&path)(error)),
            _ => Ok(()),
        }
    }

    /// What is remembered of an address; a note that cannot be read is as good as none.
    fn memo(&self, url: &str) -> Memo {
        let text = fs::read(self.key(url).with_extension("json")).unwrap_or_default();
        let memo: Memo = serde_json::from_slice(&text).unwrap_or_default();
        let url = shown(url);
        if memo.url == url { memo } else { Memo { url, ..Memo::default() } }
    }

    fn remember(&self, memo: &Memo) -> Result<(), FetchError> {
        let path = self.key(&memo.url).with_extension("json");
        let fresh = path.with_extension("new");
        let text = serde_json::to_vec(memo).unwrap_or_default();
        let write = || {
            let mut file = File::create(&fresh)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)
        };
        write().map_err(file_error(&path))
    }
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> FetchError + use<> {
    let path = path.to_path_buf();
    move |source| FetchError::File { path: path.clone(), source }
}

/// Whether an address leads to this machine: nobody stands between.
fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let is_plain = uri.scheme_str() == Some("http");
    is_plain && matches!(uri.host(), Some("127.0.0.1" | "[::1]" | "localhost"))
}

/// An address as it may be shown: what stands behind `?` is often a key.
fn shown(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_string()
}

/// Whether an address names a user, whose password would be kept and shown.
fn names_user(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |it| it.1);
    authority.split(['/', '?', '#']).next().is_some_and(|it| it.contains('@'))
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// What tells this file from a later one; weak tags do not tell bytes apart.
fn validator(response: &Response<Body>) -> Option<String> {
    let tag = header(response, "etag").filter(|it| !it.starts_with("W/"));
    tag.or_else(|| header(response, "last-modified")).map(str::to_string)
}

/// Whether a part begins where it was asked for.
fn starts_at(response: &Response<Body>, have: u64) -> bool {
    let range = header(response, "content-range").and_then(|it| it.strip_prefix("bytes "));
    range.and_then(|it| it.split('-').next()?.parse().ok()) == Some(have)
}

/// Bytes of the whole file, where a part says so.
fn total(response: &Response<Body>) -> Option<u64> {
    header(response, "content-range")?.rsplit_once('/')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_answer_in_the_clear() {
        for good in ["http://127.0.0.1:8000/x", "http://[::1]/x", "http://localhost"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "http://127.0.0.1.example.org/",
            "http://localhost@example.org/",
            "http://localhost:x@example.org/",
            "http://example.org/127.0.0.1",
            "ftp://localhost/",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
