//! Addresses of the network interfaces: can the Internet route to this host at all?

use crate::reading::text;
use polder_host::Host;
use polder_model::facts::Address;
use polder_model::{Coverage, Table, printable_str};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses by the kernel's routing tables.
pub(crate) fn look(host: &dyn Host) -> Table<Address> {
    if !host.identity().running {
        let because = "a folder is looked at, not a running host";
        return Table::with(Coverage::not_applicable(because), Vec::new());
    }
    let mut rows = Vec::new();
    let coverage = match text(host, "/proc/net/fib_trie") {
        Ok(text) => {
            rows.extend(parse_fib_trie(&text).into_iter().map(|it| row(IpAddr::V4(it), None)));
            Coverage::Complete
        }
        Err(error) => crate::reading::not_looked(&error, "the addresses"),
    };
    if let Ok(text) = text(host, "/proc/net/if_inet6") {
        rows.extend(
            parse_if_inet6(&text)
                .into_iter()
                .map(|(address, interface)| row(IpAddr::V6(address), Some(interface))),
        );
    }
    rows.sort();
    rows.dedup();
    Table::with(coverage, rows)
}

fn row(address: IpAddr, interface: Option<String>) -> Address {
    Address {
        address: address.to_string(),
        interface,
        public: is_public(address),
        loopback: address.is_loopback(),
    }
}

/// Local addresses: leaves of the tree marked `host LOCAL`.
pub fn parse_fib_trie(text: &str) -> Vec<Ipv4Addr> {
    let mut addresses = Vec::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(address) = trimmed.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if trimmed.ends_with("host LOCAL") {
            addresses.extend(last);
        }
    }
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Address in 32 hexadecimal digits, then index, prefix, scope, flags and the interface.
pub fn parse_if_inet6(text: &str) -> Vec<(Ipv6Addr, String)> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let bits = u128::from_str_radix(words.next()?, 16).ok()?;
            Some((Ipv6Addr::from(bits), printable_str(words.nth(4)?)))
        })
        .collect()
}

/// Whether the Internet routes to it: none of the special blocks of RFC 6890.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => {
            let [a, b, ..] = it.octets();
            !(it.is_private()
                || it.is_loopback()
                || it.is_link_local()
                || it.is_multicast()
                || it.is_broadcast()
                || it.is_documentation()
                || it.is_unspecified()
                || (a == 100 && (64..128).contains(&b))
                || a == 0
                || a >= 240
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(it) => {
            let [first, second, ..] = it.segments();
            // Global unicast is 2000::/3 without the documentation block 2001:db8::/32.
            (0x2000..0x4000).contains(&first) && !(first == 0x2001 && second == 0xdb8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_leaves_of_the_tree_are_addresses() {
        let text = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 192.0.2.7\n        /32 host LOCAL\n     |-- 192.0.2.0\n        /24 link UNICAST\n";
        assert_eq!(parse_fib_trie(text), [Ipv4Addr::new(192, 0, 2, 7)]);
    }

    #[test]
    fn special_blocks_are_not_public() {
        for text in ["10.1.2.3", "100.64.0.1", "169.254.1.1", "192.0.2.1", "fe80::1", "fd00::1"] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in ["8.8.8.8", "2a00:1450::1"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
