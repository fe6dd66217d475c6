//! Where events go besides the journal. The journal is the queue: each sink has the number of the last event
//! it took, so what cannot be delivered now is delivered later, also after a restart.

use polder_report::{WatchEvent, event_line, event_text};
use polder_store::{StoredEvent, replace_file};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Between two tries of a sink that failed: doubled each time, up to the second.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Events in one mail, and waiting in memory for a sink that is away; of more the journal has all.
const MAIL_MAX: usize = 200;
const WAITING_MAX: usize = 10_000;

/// Longest message to a syslog (RFC 5426 asks for two kilobytes at least).
const SYSLOG_BYTES_MAX: usize = 2_000;

/// How long a server may take.
const ANSWER: Duration = Duration::from_secs(15);

/// Which sinks there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SinkSettings {
    pub(crate) syslog: bool,
    /// Address that takes each event as JSON.
    pub(crate) webhook: Option<String>,
    /// Who gets mail, through the mail server of this host.
    pub(crate) mail: Option<String>,
    /// Address that is called as long as all is well: its silence is the alarm.
    pub(crate) heartbeat: Option<String>,
}

/// One way out.
trait Sink: Send {
    fn name(&self) -> &'static str;
    /// Delivers the first of these events, and as many more as go with it; says how many.
    fn deliver(&mut self, events: &[StoredEvent]) -> Result<usize, String>;
}

fn read(event: &StoredEvent) -> Option<WatchEvent> {
    serde_json::from_value(event.event.clone()).ok()
}

/// The syslog of this host: one datagram each (RFC 3164, facility authpriv).
struct Syslog {
    path: PathBuf,
}

impl Sink for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn deliver(&mut self, events: &[StoredEvent]) -> Result<usize, String> {
        let Some(event) = events.first() else { return Ok(0) };
        let Some(it) = read(event) else { return Ok(1) };
        // authpriv is 10; alert 1 for what stays, warning 4 for other changes, notice 5 for the rest.
        let level = match (&it.change, it.kind.as_str()) {
            (Some(change), _) if change.weight == "stays" => 1,
            (Some(_), _) | (None, "blind" | "problem") => 4,
            _ => 5,
        };
        let mut text = format!("<{}>polder-watch: {}", 10 * 8 + level, event_line(&it));
        if text.len() > SYSLOG_BYTES_MAX {
            let end = (0..=SYSLOG_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or(0));
        }
        let socket = UnixDatagram::unbound().map_err(|error| error.to_string())?;
        socket.set_nonblocking(true).map_err(|error| error.to_string())?;
        let sent = socket.send_to(text.as_bytes(), &self.path);
        sent.map(|_| 1).map_err(|error| format!("`{}`: {error}", self.path.display()))
    }
}

/// A server that takes each event as JSON.
struct Webhook {
    address: String,
    agent: ureq::Agent,
}

fn agent() -> ureq::Agent {
    let certificates = ureq::tls::TlsConfig::builder();
    ureq::Agent::config_builder()
        .tls_config(certificates.root_certs(ureq::tls::RootCerts::WebPki).build())
        .user_agent(concat!("polder/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(ANSWER))
        .max_redirects(0)
        .build()
        .into()
}

fn post(agent: &ureq::Agent, address: &str, body: &Value) -> Result<(), String> {
    let sent = agent
        .post(address)
        .header("content-type", "application/json")
        .send(body.to_string().as_bytes());
    // An address may hold a key: the error must not.
    let answered = sent.and_then(|it| match it.status().is_success() {
        true => Ok(()),
        // A page to log in on, a move elsewhere: nobody took it.
        false => Err(ureq::Error::StatusCode(it.status().as_u16())),
    });
    answered.map_err(|error| match error {
        ureq::Error::StatusCode(code) => format!("the server answered {code}"),
        other => other.to_string().replace(address, "the address"),
    })
}

impl Sink for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn deliver(&mut self, events: &[StoredEvent]) -> Result<usize, String> {
        let Some(event) = events.first() else { return Ok(0) };
        let body = json!({ "sequence": event.sequence, "event": event.event });
        post(&self.agent, &self.address, &body).map(|()| 1)
    }
}

/// The mail server of this host, by SMTP on the loopback (RFC 5321): no program is started.
struct Mail {
    to: String,
    host: String,
}

impl Sink for Mail {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn deliver(&mut self, events: &[StoredEvent]) -> Result<usize, String> {
        let some = events.get(..events.len().min(MAIL_MAX)).unwrap_or_default();
        let all: Vec<WatchEvent> = some.iter().filter_map(read).collect();
        let changes = all.iter().filter(|it| it.change.is_some()).count();
        let subject = match (changes, all.first()) {
            (0, Some(first)) => format!("polder on {}: {}", self.host, first.kind),
            (1, _) => format!("polder on {}: 1 file is not as it was", self.host),
            _ => format!("polder on {}: {changes} files are not as they were", self.host),
        };
        let body: String = all.iter().map(event_text).collect();
        smtp(&self.to, &self.host, &subject, &body).map_err(|error| error.to_string())?;
        Ok(some.len())
    }
}

fn smtp(to: &str, host: &str, subject: &str, body: &str) -> std::io::Result<()> {
    let server = std::net::SocketAddr::from(([127, 0, 0, 1], 25));
    let stream = TcpStream::connect_timeout(&server, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let mut say = |text: &str, wanted: char| -> std::io::Result<()> {
        if !text.is_empty() {
            writer.write_all(text.as_bytes())?;
            writer.write_all(b"\r\n")?;
        }
        let mut line = String::new();
        // An answer of several lines has a hyphen after the number in all but the last.
        loop {
            line.clear();
            let count = std::io::Read::take(&mut reader, 4096).read_line(&mut line)?;
            if count == 0 || line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        match line.starts_with(wanted) {
            true => Ok(()),
            false => Err(std::io::Error::other(format!(
                "the mail server answered `{}`",
                polder_model::printable_str(line.trim())
            ))),
        }
    };
    say("", '2')?;
    say(&format!("EHLO {host}"), '2')?;
    say("MAIL FROM:<>", '2')?;
    say(&format!("RCPT TO:<{to}>"), '2')?;
    say("DATA", '3')?;
    let mut text = format!(
        "From: polder <root@{host}>\r\nTo: {to}\r\nSubject: {subject}\r\nAuto-Submitted: auto-generated\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    );
    for line in body.lines() {
        // A point at the beginning would end the mail.
        text.push_str(if line.starts_with('.') { "." } else { "" });
        text.push_str(line);
        text.push_str("\r\n");
    }
    say(&format!("{text}."), '2')?;
    // It was taken: that the farewell fails is no reason to send it again.
    let _ = say("QUIT", '2');
    Ok(())
}

/// What the watch hands to the thread that delivers.
enum Parcel {
    Event(StoredEvent),
    Heartbeat(Value),
}

/// The thread that delivers, and the way to it.
pub(crate) struct Delivery {
    sender: Sender<Parcel>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// A sink with what it has still to take.
struct Line {
    sink: Box<dyn Sink>,
    waiting: Vec<StoredEvent>,
    pause: Duration,
    next: Instant,
    problem: Option<String>,
}

impl Delivery {
    /// Begins to deliver; `earlier` are the events of the journal.
    pub(crate) fn start(
        settings: &SinkSettings,
        host: &str,
        state: &Path,
        earlier: &[StoredEvent],
    ) -> std::io::Result<Self> {
        let cursors_path = state.join("watch/delivered.json");
        let cursors: BTreeMap<String, u64> = std::fs::read_to_string(&cursors_path)
            .ok()
            .and_then(|it| serde_json::from_str(&it).ok())
            .unwrap_or_default();
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if settings.syslog {
            sinks.push(Box::new(Syslog { path: "/dev/log".into() }));
        }
        if let Some(address) = &settings.webhook {
            sinks.push(Box::new(Webhook { address: address.clone(), agent: agent() }));
        }
        if let Some(to) = &settings.mail {
            sinks.push(Box::new(Mail { to: to.clone(), host: host.to_string() }));
        }
        let last = earlier.last().map_or(0, |it| it.sequence);
        let line = |sink: Box<dyn Sink>| {
            // A sink that is new begins with what comes from now on.
            let done = cursors.get(sink.name()).copied().unwrap_or(last);
            let mut waiting: Vec<StoredEvent> =
                earlier.iter().filter(|it| it.sequence > done).cloned().collect();
            keep_some(&mut waiting);
            Line { sink, waiting, pause: PAUSE, next: Instant::now(), problem: None }
        };
        let lines: Vec<Line> = sinks.into_iter().map(line).collect();
        let (sender, receiver) = channel();
        let heartbeat = settings.heartbeat.clone();
        let thread = std::thread::Builder::new()
            .name("polder-deliver".into())
            .spawn(move || run(lines, cursors, &cursors_path, heartbeat.as_deref(), &receiver))?;
        Ok(Self { sender, thread: Some(thread) })
    }

    /// Hands an event over.
    pub(crate) fn event(&self, event: StoredEvent) {
        let _ = self.sender.send(Parcel::Event(event));
    }

    /// Hands a sign of life over.
    pub(crate) fn heartbeat(&self, status: Value) {
        let _ = self.sender.send(Parcel::Heartbeat(status));
    }

    /// Delivers what can be delivered now, and ends.
    pub(crate) fn finish(mut self) {
        let (sender, _) = channel();
        self.sender = sender;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The last ones are kept of very many.
fn keep_some(waiting: &mut Vec<StoredEvent>) {
    let more = waiting.len().saturating_sub(WAITING_MAX);
    waiting.drain(..more);
}

fn run(
    mut lines: Vec<Line>,
    mut cursors: BTreeMap<String, u64>,
    path: &Path,
    heartbeat: Option<&str>,
    receiver: &Receiver<Parcel>,
) {
    let caller = agent();
    let mut ends = false;
    while !ends {
        let mut parcel = match receiver.recv_timeout(Duration::from_millis(500)) {
            Ok(parcel) => Some(parcel),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                ends = true;
                None
            }
        };
        let mut sign = None;
        while let Some(it) = parcel.take() {
            match it {
                Parcel::Event(event) => lines.iter_mut().for_each(|line| {
                    line.waiting.push(event.clone());
                    keep_some(&mut line.waiting);
                }),
                // Of several only the last says what is so now.
                Parcel::Heartbeat(status) => sign = Some(status),
            }
            parcel = receiver.try_recv().ok();
        }
        let mut moved = false;
        for line in &mut lines {
            moved |= line.deliver(&mut cursors);
        }
        if moved {
            let text = serde_json::to_string(&cursors).unwrap_or_default();
            let _ = replace_file(path, &text);
        }
        // After the events: an address that does not answer must not keep them waiting. Whoever listens there
        // misses it if it does not come.
        if let (Some(status), Some(address)) = (sign, heartbeat) {
            let _ = post(&caller, address, &status);
        }
    }
}

impl Line {
    /// Delivers what waits, until it is done or something is in the way; says whether anything went out.
    fn deliver(&mut self, cursors: &mut BTreeMap<String, u64>) -> bool {
        let mut moved = false;
        while !self.waiting.is_empty() && Instant::now() >= self.next {
            match self.sink.deliver(&self.waiting) {
                Ok(count) => {
                    let count = count.clamp(1, self.waiting.len());
                    if let Some(last) = self.waiting.drain(..count).next_back() {
                        cursors.insert(self.sink.name().into(), last.sequence);
                    }
                    moved = true;
                    self.pause = PAUSE;
                    self.problem = None;
                }
                Err(because) => {
                    // Said once, not at each try.
                    if self.problem.as_ref() != Some(&because) {
                        let name = self.sink.name();
                        crate::output::say(&format!(
                            "warning: {name} takes no events: {because}\n"
                        ));
                        self.problem = Some(because);
                    }
                    self.next = Instant::now() + self.pause;
                    self.pause = (self.pause * 2).min(PAUSE_MAX);
                }
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: u64) -> StoredEvent {
        let event = json!({
            "schema": "polder-event/1", "when": 0, "host": "h", "kind": "problem", "baseline": 1,
            "says": format!("number {sequence}\nand more"),
        });
        StoredEvent { sequence, event }
    }

    #[test]
    fn a_syslog_that_is_away_gets_everything_later_and_each_event_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let sink = Box::new(Syslog { path: path.clone() });
        let mut line = Line {
            sink,
            waiting: vec![event(1), event(2)],
            pause: Duration::ZERO,
            next: Instant::now(),
            problem: Some(String::new()),
        };
        let mut cursors = BTreeMap::new();
        line.pause = Duration::from_secs(60);
        assert!(!line.deliver(&mut cursors) && cursors.is_empty());
        let server = UnixDatagram::bind(&path).unwrap();
        line.next = Instant::now();
        assert!(line.deliver(&mut cursors));
        assert_eq!(cursors.get("syslog"), Some(&2));
        let mut buffer = [0; 4096];
        let count = server.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
        assert!(text.starts_with("<84>polder-watch: problem: number 1"), "{text}");
    }
}
