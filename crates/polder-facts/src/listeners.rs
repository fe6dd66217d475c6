//! Listening sockets, as the kernel lists them, with who holds them.

use crate::reading::text_up_to;
use crate::{firewall, processes};
use polder_host::Host;
use polder_model::facts::{Facts, Listener, PortVerdict, Protocol};
use polder_model::{Coverage, Problem, Table, printable};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Largest list of sockets read; a line has 150 bytes, so this is about a million sockets.
const SOCKETS_BYTES_MAX: u64 = 256 << 20;

/// State of a TCP socket that waits for connections (net/tcp_states.h).
const TCP_LISTEN: u8 = 0x0a;

/// State of a UDP socket that is not connected.
const UDP_UNCONNECTED: u8 = 0x07;

/// Every listening socket of the looker's network namespace.
pub fn look(host: &dyn Host, facts: &Facts) -> Table<Listener> {
    if !host.identity().running {
        let because = "a folder is looked at, not a running host";
        return Table::with(Coverage::not_applicable(because), Vec::new());
    }
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    let mut coverage = Coverage::Complete;
    for (path, protocol) in [
        ("/proc/net/tcp", Protocol::Tcp),
        ("/proc/net/tcp6", Protocol::Tcp6),
        ("/proc/net/udp", Protocol::Udp),
        ("/proc/net/udp6", Protocol::Udp6),
    ] {
        match text_up_to(host, path, SOCKETS_BYTES_MAX) {
            Ok(text) => {
                let (mut found, mut bad) = parse_sockets(&text, protocol, path);
                rows.append(&mut found);
                problems.append(&mut bad);
            }
            // A kernel without IPv6.
            Err(error) if error.is_not_found() && path.ends_with('6') => {}
            Err(error) => coverage = crate::reading::not_looked(&error, "the listening sockets"),
        }
    }
    match text_up_to(host, "/proc/net/unix", SOCKETS_BYTES_MAX) {
        Ok(text) => rows.append(&mut parse_unix_sockets(&text)),
        Err(error) => coverage = crate::reading::partial(&error, "the Unix sockets"),
    }
    let (owners, unseen) = processes::sockets(host, &facts.processes.rows);
    let by_pid: BTreeMap<u32, &polder_model::facts::Process> =
        facts.processes.rows.iter().map(|process| (process.pid, process)).collect();
    for row in &mut rows {
        row.pids = owners.get(&row.inode).cloned().unwrap_or_default();
        let holder = row.pids.iter().find_map(|pid| by_pid.get(pid));
        row.process = holder.map(|process| process.name.clone());
        row.unit = holder.and_then(|process| process.unit.clone());
        row.verdict = firewall::verdict(facts, row.protocol, &row.address, row.port);
    }
    // A table may have been cut short by sockets that came or went while it was read.
    rows.sort_by(|a, b| key(a).cmp(&key(b)));
    rows.dedup_by(|a, b| key(a) == key(b) && a.inode == b.inode);
    let unowned =
        rows.iter().filter(|row| row.pids.is_empty() && row.protocol != Protocol::Unix).count();
    if coverage == Coverage::Complete && unseen > 0 && unowned > 0 {
        coverage = crate::reading::hidden(
            host,
            format!("{unowned} listening sockets belong to processes that cannot be read"),
            "which process holds each socket",
        );
    }
    Table::with(coverage, rows).problems(problems)
}

fn key(row: &Listener) -> (Protocol, u16, &str) {
    (row.protocol, row.port, &row.address)
}

/// Reads `/proc/net/{tcp,udp}{,6}` (proc_net(5)): listening sockets only.
pub fn parse_sockets(text: &str, protocol: Protocol, place: &str) -> (Vec<Listener>, Vec<Problem>) {
    let wanted = match protocol {
        Protocol::Tcp | Protocol::Tcp6 => TCP_LISTEN,
        _ => UDP_UNCONNECTED,
    };
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        let mut words = line.split_ascii_whitespace();
        let (Some(local), Some(_remote), Some(state)) = (words.nth(1), words.next(), words.next())
        else {
            crate::reading::note(&mut problems, format!("{place}:{}", index + 1), "a short line");
            continue;
        };
        if u8::from_str_radix(state, 16) != Ok(wanted) {
            continue;
        }
        let mut rest = words.skip(3);
        let uid = rest.next().and_then(|it| it.parse().ok());
        let inode = rest.nth(1).and_then(|it| it.parse().ok());
        match (parse_address(local), uid, inode) {
            (Some((address, port)), Some(uid), Some(inode)) => {
                rows.push(listener(protocol, address.to_string(), port, inode, uid));
            }
            _ => crate::reading::note(
                &mut problems,
                format!("{place}:{}", index + 1),
                "a socket that cannot be understood",
            ),
        }
    }
    (rows, problems)
}

fn listener(protocol: Protocol, address: String, port: u16, inode: u64, uid: u32) -> Listener {
    Listener {
        protocol,
        address,
        port,
        inode,
        pids: Vec::new(),
        process: None,
        uid,
        unit: None,
        package: None,
        verdict: PortVerdict::Unknown { because: "not judged yet".into() },
    }
}

/// `0100007F:1F90`: address in the machine's byte order by words of 32 bits, port in hexadecimal.
pub fn parse_address(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let bytes: Vec<u8> = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))
        }
        _ => return None,
    };
    Some((address, port))
}

/// Reads `/proc/net/unix`: sockets that accept connections (flag `__SO_ACCEPTCON`) and have a name.
pub fn parse_unix_sockets(text: &str) -> Vec<Listener> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.splitn(8, ' ').filter(|it| !it.is_empty());
            let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
            let rest = line.split_once(": ")?.1;
            let mut words = rest.split_ascii_whitespace();
            let inode = words.nth(5)?.parse().ok()?;
            let path = words.next()?;
            let accepts = flags & 0x1_0000 != 0;
            accepts.then(|| listener(Protocol::Unix, printable(path.as_bytes()), 0, inode, 0))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_the_machines_byte_order() {
        assert_eq!(parse_address("0100007F:0016"), Some((IpAddr::V4(Ipv4Addr::LOCALHOST), 22)));
        let loopback = "00000000000000000000000001000000:1F90";
        assert_eq!(parse_address(loopback), Some((IpAddr::V6(Ipv6Addr::LOCALHOST), 8080)));
        assert_eq!(parse_address("0100007F"), None);
    }

    #[test]
    fn only_listening_sockets_are_taken() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 5436 1 0 100\n   1: 0100007F:1538 0100007F:9999 01 00000000:00000000 00:00000000 00000000   101        0 5437 1 0 100\n";
        let (rows, problems) = parse_sockets(text, Protocol::Tcp, "t");
        assert!(problems.is_empty());
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].port, rows[0].uid, rows[0].inode), (5432, 101, 5436));
    }

    #[test]
    fn unix_sockets_that_accept_are_taken() {
        let text = "Num       RefCount Protocol Flags    Type St Inode Path\n0000000000000000: 00000002 00000000 00010000 0001 01  4919 /run/mysqld/mysqld.sock\n0000000000000000: 00000003 00000000 00000000 0001 03  4920 /run/x\n";
        let rows = parse_unix_sockets(text);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].inode, rows[0].address.as_str()), (4919, "/run/mysqld/mysqld.sock"));
    }
}
