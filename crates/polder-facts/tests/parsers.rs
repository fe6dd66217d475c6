//! Every parser of outside data: no panic, whatever it is given, and no more than linear time.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and looks at the machine it runs on"
)]

use polder_facts::apt::{changelog, packages, pins::Pins, release, sources, stanza};
use polder_facts::firewall::{iptables, nft};
use polder_facts::{
    apk, cron, history, listeners, processes, rpm, servers, sshd, sudo, units, users,
};
use polder_model::facts::{Process, Protocol, System};
use proptest::prelude::*;

/// Pieces that mean something to one parser or another, so that random text gets past the door.
const PIECES: [&str; 66] = [
    "\n",
    "\n\n",
    " ",
    "\t",
    ":",
    "=",
    ",",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "\\",
    "\\\n",
    "#",
    "!",
    "%",
    "@",
    "-",
    "/",
    "0",
    "1",
    "65535",
    "4294967296",
    "\u{0}",
    "\u{1b}[31m",
    "\u{202e}",
    "ALL",
    "NOPASSWD:",
    "User_Alias",
    "Cmnd_Alias",
    "root",
    "Package: a",
    "Version: 1:2~3-4",
    "Status: install ok installed",
    "SHA256:",
    "Date: Sat, 21 Nov 2026 00:53:11 UTC",
    "deb [arch=amd64] http://h/d s main",
    "Types: deb",
    "Pin: release a=x",
    "Pin-Priority: 500",
    "*filter",
    ":INPUT DROP [0:0]",
    "-A INPUT -p tcp --dport 22 -j ACCEPT",
    "COMMIT",
    "{\"nftables\":[",
    "{\"rule\":{",
    "[Service]",
    "ExecStart=/bin/x",
    "a:x:0:0::/:/bin/sh",
    "0100007F:0016",
    "0A",
    "00-01 r-xp 0 fe:00 42 /usr/lib/x (deleted)",
    "host all all 0.0.0.0/0 trust",
    "permit nopass :wheel",
    "ssh-ed25519 aa bb",
    "17 * * * * root x",
    "|-- 192.0.2.7",
    "/32 host LOCAL",
    "a\t1\t2\t3\tnoarch\ta-2-3.src.rpm",
    "2024-03-01T10:00:00+0100 SUBDEBUG Upgrade: a-1:2-3.noarch",
    "polkit.addRule(",
    "isInGroup(\"x\") polkit.Result.YES",
];

fn every_parser(text: &str) {
    let mut problems = Vec::new();
    let mut list = Vec::new();
    let _ = stanza::parse_stanzas(text);
    let _ = packages::parse_status(text);
    let _ = apk::parse_installed(text);
    let _ = release::parse_release(text);
    let _ = release::parse_date(text);
    sources::parse_sources_list("s", text, &mut list, &mut problems);
    sources::parse_sources_deb822("s", text, &mut list, &mut problems);
    Pins::default().parse_preferences("p", text, &mut problems);
    let _ = changelog::parse_changelog(text, "1.0-1");
    let _ = history::parse_dpkg_log(text, &jiff::tz::TimeZone::UTC);
    let _ = history::parse_dnf_log(text);
    let _ = rpm::packages::parse_query(text);
    let _ = polder_model::version::deb::compare(text, "1.0-1");
    let _ = iptables::parse_save(text, "iptables");
    let _ = nft::parse_ruleset(text);
    let _ = cron::parse_crontab(text, "c", None);
    let _ = cron::parse_crontab(text, "c", Some("ada"));
    for protocol in [Protocol::Tcp, Protocol::Udp6] {
        let _ = listeners::parse_sockets(text, protocol, "t");
    }
    let _ = listeners::parse_unix_sockets(text);
    let _ = listeners::parse_address(text);
    let _ = processes::parse_maps(text).count();
    processes::parse_status(text, &mut Process::default());
    let _ = processes::start_ticks(text);
    let _ = processes::unit_of(text);
    let _ = servers::parse_hba(text, "h");
    let _ = sshd::parse_effective(text);
    let _ = sshd::parse_authorized_keys(text, "ada", "k");
    let _ = sudo::parse_lines(&sudo::logical_lines(text, "s"));
    let _ = units::parse_unit(text, "u");
    let _ = users::parse_passwd(text);
    let _ = users::parse_shadow(text);
    let _ = users::parse_group(text);
    let _ = polder_facts::parse_doas(text, "d");
    let _ = polder_facts::parse_polkit(text);
    let _ = polder_facts::parse_mounts(text);
    let _ = polder_facts::parse_fib_trie(text);
    let _ = polder_facts::parse_if_inet6(text);
    let _ = polder_facts::parse_capability(text.as_bytes());
    polder_facts::parse_os_release(text, &mut System::default());
    let _ = polder_host::redact::content("/etc/x.conf".as_ref(), text.as_bytes().to_vec());
    let _ = polder_host::redact::content("/etc/shadow".as_ref(), text.as_bytes().to_vec());
    let _ = polder_host::redact::content(
        "/root/.ssh/authorized_keys".as_ref(),
        text.as_bytes().to_vec(),
    );
    let _ = polder_host::redact::content("/proc/1/cmdline".as_ref(), text.as_bytes().to_vec());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn pieces_in_any_order_never_panic(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        every_parser(&pieces.concat());
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,120}") {
        every_parser(&text);
    }

    #[test]
    fn what_is_hidden_once_stays_as_it_is(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..20)) {
        let text = format!("db_password={}\n", pieces.concat().replace('\n', " "));
        let once = polder_host::redact::content("/srv/.env".as_ref(), text.into_bytes());
        let twice = polder_host::redact::content("/srv/.env".as_ref(), once.clone());
        prop_assert_eq!(once, twice);
    }
}

/// Fifty kilobytes of what each parser likes least; quadratic time would be felt.
#[test]
fn long_input_takes_linear_time() {
    for piece in [
        "a",
        "(",
        "\\",
        "A=",
        "User_Alias A=B\n",
        "\"",
        "*",
        "<secret:",
        "eyJ",
        "://a:b@",
        "password=x ",
        "\n\n",
        "Package: a\nVersion: 1\n\n",
        "[",
        "polkit.addRule(",
    ] {
        let text = piece.repeat(50_000 / piece.len());
        every_parser(&text);
    }
}
