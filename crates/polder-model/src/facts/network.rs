//! Rows about what can be talked to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kind of a listening socket.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP over IPv4.
    Tcp,
    /// TCP over IPv6.
    Tcp6,
    /// UDP over IPv4.
    Udp,
    /// UDP over IPv6.
    Udp6,
    /// Unix domain, with a path or an abstract name.
    Unix,
}

impl Protocol {
    /// `tcp`, `udp` or `unix`.
    pub fn family_free(self) -> &'static str {
        match self {
            Self::Tcp | Self::Tcp6 => "tcp",
            Self::Udp | Self::Udp6 => "udp",
            Self::Unix => "unix",
        }
    }
}

/// Whether a packet from outside reaches a port, as far as rules without state tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum PortVerdict {
    /// Bound to the loopback interface only.
    Loopback,
    /// Rules let it through, or there are none.
    Open {
        /// The rule or policy that decides.
        because: String,
    },
    /// Rules let it through from some addresses only.
    Limited {
        /// The rule that decides.
        because: String,
    },
    /// Rules drop or reject it.
    Closed {
        /// The rule or policy that decides.
        because: String,
    },
    /// Rules could not be read or not understood.
    Unknown {
        /// Why.
        because: String,
    },
}

/// One listening socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    /// Kind of socket.
    pub protocol: Protocol,
    /// Local address without port; the path of a Unix socket.
    pub address: String,
    /// Local port; zero for Unix sockets.
    pub port: u16,
    /// Inode of the socket.
    pub inode: u64,
    /// Processes that hold it, by id.
    pub pids: Vec<u32>,
    /// Name of the first of them.
    pub process: Option<String>,
    /// User the socket belongs to.
    pub uid: u32,
    /// Unit of the first process.
    pub unit: Option<String>,
    /// Package that owns the executable.
    pub package: Option<String>,
    /// Whether it can be reached from outside.
    pub verdict: PortVerdict,
}

impl Listener {
    /// Whether it is bound to the loopback interface or a Unix socket.
    pub fn is_local(&self) -> bool {
        matches!(self.verdict, PortVerdict::Loopback) || self.protocol == Protocol::Unix
    }

    /// Short name such as `tcp/5432`, the same for IPv4 and IPv6.
    pub fn short(&self) -> String {
        if self.protocol == Protocol::Unix {
            format!("unix:{}", self.address)
        } else {
            format!("{}/{}", self.protocol.family_free(), self.port)
        }
    }
}

/// One address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    /// The address.
    pub address: String,
    /// The interface, where known.
    pub interface: Option<String>,
    /// Whether it is routed on the Internet (RFC 6890 says which are not).
    pub public: bool,
    /// Whether it is a loopback address.
    pub loopback: bool,
}

/// One packet filter rule, flattened to what a first packet from outside meets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirewallRule {
    /// Where it was read: `nft`, `iptables`, `ip6tables`.
    pub engine: String,
    /// Family: `ip`, `ip6`, `inet`.
    pub family: String,
    /// Table.
    pub table: String,
    /// Chain.
    pub chain: String,
    /// Order of the hook the chain hangs on; lower runs first.
    pub priority: i64,
    /// Hook: `input`, `prerouting`, `forward`; empty for chains that are jumped to.
    pub hook: String,
    /// Policy of the chain (`accept`, `drop`); empty for rules.
    pub policy: String,
    /// Protocols it is limited to (`tcp`, `udp`); empty means all.
    pub protocols: Vec<String>,
    /// Destination ports it is limited to, as inclusive ranges; empty means all.
    pub ports: Vec<(u16, u16)>,
    /// Source addresses it is limited to; empty means all.
    pub sources: Vec<String>,
    /// Input interfaces it is limited to; empty means all.
    pub interfaces: Vec<String>,
    /// Matches that could not be expressed here; the rule may or may not apply.
    pub unclear: Vec<String>,
    /// `accept`, `drop`, `reject`, `return`, `jump CHAIN`, `goto CHAIN`, `dnat ...` or `continue`.
    pub verdict: String,
    /// Whether it only meets packets of connections that exist.
    pub established_only: bool,
    /// The rule as its program prints it.
    pub text: String,
}
