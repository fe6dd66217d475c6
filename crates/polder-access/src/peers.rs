//! Who is connected: which programs of this host hold the other end of connections that a server names.

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// A connection, as a server tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Over the network, from here.
    Tcp(SocketAddr),
    /// Over a socket of this host, to this process of the server.
    Process(u32),
}

/// A program that is connected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Client {
    /// Its executable.
    pub program: String,
    /// Its effective user, by number.
    pub uid: u32,
    /// The unit of systemd it runs in.
    pub unit: Option<String>,
}

/// Most bytes of answers that are read.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Programs at the other end; those of other hosts, and what may not be seen, are left out.
pub fn clients(peers: &BTreeSet<Peer>) -> BTreeSet<Client> {
    let holders = holders();
    let mut inodes: BTreeSet<u64> = BTreeSet::new();
    let far: BTreeSet<SocketAddr> = peers
        .iter()
        .filter_map(|it| if let Peer::Tcp(it) = it { Some(*it) } else { None })
        .collect();
    for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        inodes.extend(parse_tcp(&text).into_iter().filter(|it| far.contains(&it.0)).map(|it| it.1));
    }
    let servers: BTreeSet<u32> = peers
        .iter()
        .filter_map(|it| if let Peer::Process(it) = it { Some(*it) } else { None })
        .collect();
    if !servers.is_empty() {
        let ends = unix_peers().unwrap_or_default();
        let near = holders.iter().filter(|it| it.1.iter().any(|pid| servers.contains(pid)));
        inodes.extend(near.filter_map(|it| ends.get(it.0)));
    }
    let own = std::process::id();
    let pids: BTreeSet<u32> = inodes
        .iter()
        .filter_map(|it| holders.get(it))
        .flatten()
        .copied()
        .filter(|it| *it != own && !servers.contains(it))
        .collect();
    pids.into_iter().filter_map(client).collect()
}

/// Which processes hold which sockets.
fn holders() -> BTreeMap<u64, BTreeSet<u32>> {
    let mut found: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|it| it.parse().ok()) else { continue };
        for handle in std::fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten() {
            let link = std::fs::read_link(handle.path()).unwrap_or_default();
            let inode = link.to_str().and_then(|it| it.strip_prefix("socket:[")?.strip_suffix(']'));
            if let Some(inode) = inode.and_then(|it| it.parse().ok()) {
                found.entry(inode).or_default().insert(pid);
            }
        }
    }
    found
}

/// What a process is.
pub(crate) fn client(pid: u32) -> Option<Client> {
    let folder = std::path::Path::new("/proc").join(pid.to_string());
    let program = std::fs::read_link(folder.join("exe")).ok()?;
    let status = std::fs::read_to_string(folder.join("status")).ok()?;
    let uids = status.lines().find_map(|it| it.strip_prefix("Uid:"))?;
    let groups = std::fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
    let unit =
        groups.lines().next().and_then(|it| it.rsplit('/').find(|it| it.ends_with(".service")));
    Some(Client {
        program: program.to_string_lossy().into_owned(),
        uid: uids.split_whitespace().nth(1)?.parse().ok()?,
        unit: unit.map(str::to_string),
    })
}

/// Own ends of connections that are there, with their inodes (proc(5), `/proc/net/tcp`).
fn parse_tcp(text: &str) -> Vec<(SocketAddr, u64)> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, port) = fields.get(1)?.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok();
        // Words of four bytes, each in the order of this machine.
        let address: IpAddr = match address.len() {
            8 => IpAddr::from(word(0)?.to_ne_bytes()),
            32 => {
                let mut bytes = [0u8; 16];
                for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                    chunk.copy_from_slice(&word(index * 8)?.to_ne_bytes());
                }
                IpAddr::from(bytes).to_canonical()
            }
            _ => return None,
        };
        let is_there = *fields.get(3)? == "01";
        let inode = fields.get(9)?.parse().ok()?;
        is_there.then_some((SocketAddr::new(address, port), inode))
    };
    text.lines().skip(1).filter_map(line).collect()
}

/// The other end of each socket of this host, by inode (sock_diag(7)).
fn unix_peers() -> Result<BTreeMap<u64, u64>, rustix::io::Errno> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(SOCK_DIAG),
    )?;
    // nlmsghdr: length, SOCK_DIAG_BY_FAMILY, REQUEST | DUMP; unix_diag_req: AF_UNIX, all states, UDIAG_SHOW_PEER.
    let mut request = Vec::with_capacity(40);
    request.extend(40u32.to_ne_bytes());
    request.extend(20u16.to_ne_bytes());
    request.extend(0x301u16.to_ne_bytes());
    request.extend([0u8; 8]);
    request.extend([1u8, 0, 0, 0]);
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(0u32.to_ne_bytes());
    request.extend(4u32.to_ne_bytes());
    request.extend(u64::MAX.to_ne_bytes());
    let kernel = SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(&socket, &request, SendFlags::empty(), &kernel)?;
    let mut found = BTreeMap::new();
    let mut buffer = vec![0u8; 64 << 10];
    let mut read = 0;
    while read < ANSWER_BYTES_MAX {
        let (length, _) = rustix::net::recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        read += length;
        if length == 0 || parse_diag(buffer.get(..length).unwrap_or_default(), &mut found) {
            break;
        }
    }
    Ok(found)
}

/// Reads one datagram; whether it was the last.
fn parse_diag(mut bytes: &[u8], found: &mut BTreeMap<u64, u64>) -> bool {
    let u32_at = |bytes: &[u8], at: usize| {
        bytes.get(at..at + 4).and_then(|it| it.try_into().ok()).map(u32::from_ne_bytes)
    };
    let u16_at = |bytes: &[u8], at: usize| {
        bytes.get(at..at + 2).and_then(|it| it.try_into().ok()).map(u16::from_ne_bytes)
    };
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), u16_at(bytes, 4)) {
        let length = length as usize;
        // NLMSG_ERROR and NLMSG_DONE.
        if kind == 2 || kind == 3 || length < 16 || length > bytes.len() {
            return true;
        }
        // unix_diag_msg: family, type, state, padding, inode, cookie; attributes of length, kind, value.
        let inode = u32_at(bytes, 20);
        let mut at = 32;
        while let (Some(size), Some(kind)) = (u16_at(bytes, at), u16_at(bytes, at + 2)) {
            if size < 4 || at + usize::from(size) > length {
                break;
            }
            if kind == 2
                && let (Some(inode), Some(peer)) = (inode, u32_at(bytes, at + 4))
            {
                found.insert(u64::from(inode), u64::from(peer));
            }
            at += usize::from(size).next_multiple_of(4);
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    fn inode(socket: &impl AsRawFd) -> u64 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        let link = link.to_str().unwrap();
        link.strip_prefix("socket:[").unwrap().strip_suffix(']').unwrap().parse().unwrap()
    }

    #[test]
    fn both_ends_of_a_connection_are_found() {
        let (here, there) = UnixStream::pair().unwrap();
        assert_eq!(unix_peers().unwrap().get(&inode(&here)), Some(&inode(&there)));
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let own = client.local_addr().unwrap();
            let all = ["/proc/net/tcp", "/proc/net/tcp6"]
                .map(|it| std::fs::read_to_string(it).unwrap_or_default());
            let found = all.iter().flat_map(|it| parse_tcp(it)).find(|it| it.0 == own);
            assert_eq!(found, Some((own, inode(&client))));
        }
    }
}
