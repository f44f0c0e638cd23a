//! Where a request comes from: the socket's address, or what a trusted proxy says.

use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Most entries of `X-Forwarded-For` that are looked at.
const HOPS: usize = 32;

/// Reads `10.0.0.0/8`, `2001:db8::/32` or `192.0.2.7`, a network of one.
///
/// # Errors
/// One sentence on what is wrong.
pub fn network(text: &str) -> Result<IpNet, String> {
    let network = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.map_err(|_| {
        format!(
            "`{}` is not a network such as 10.0.0.0/8",
            text.escape_debug()
        )
    })?;
    if network.trunc() != network {
        return Err(format!(
            "`{text}` has bits set after its prefix: write the network's first address"
        ));
    }
    Ok(network)
}

/// The client's address. `forwarded` are the values of all `X-Forwarded-For` headers in order; they
/// are believed from the right, as long as the one who said so is a trusted proxy: what a client
/// writes itself lies further left and is never reached.
pub fn client(peer: IpAddr, forwarded: &[&str], trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut believed = peer;
    let said = forwarded.iter().rev().flat_map(|value| value.rsplit(','));
    for entry in said.take(HOPS) {
        if !is_trusted(believed) {
            break;
        }
        let Some(address) = entry_address(entry.trim()) else {
            break;
        };
        believed = address.to_canonical();
    }
    believed
}

/// An entry: an address, with or without a port.
fn entry_address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(with_port) = text.parse::<SocketAddr>() {
        return Some(with_port.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// What a rate limit by address counts: a whole /64 of IPv6, which is what one machine gets.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::{client, neighbourhood, network};
    use ipnet::IpNet;
    use std::net::IpAddr;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn networks(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|t| network(t).unwrap()).collect()
    }

    #[test]
    fn an_address_is_believed_by_the_network_that_it_lies_in() {
        let by = |proxy: &str, peer: &str| {
            client(at(peer), &["203.0.113.9"], &networks(&[proxy])) == at("203.0.113.9")
        };
        assert!(by("10.1.0.0/16", "10.1.255.255"));
        assert!(by("10.1.0.0/16", "::ffff:10.1.2.3"));
        assert!(!by("10.1.0.0/16", "10.2.0.0"));
        assert!(!by("10.1.0.0/16", "::1"));
        assert!(by("0.0.0.0/0", "8.8.8.8"));
        assert!(by("::/0", "2001:db8::1"));
        assert!(by("127.0.0.1", "127.0.0.1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "::1/129",
            "proxy",
            "1.2.3.4/8/8",
        ] {
            assert!(network(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nobody_is_believed_unless_trusted() {
        assert_eq!(client(at("192.0.2.1"), &["1.1.1.1"], &[]), at("192.0.2.1"));
        let trusted = networks(&["10.0.0.0/8"]);
        assert_eq!(
            client(at("192.0.2.1"), &["1.1.1.1"], &trusted),
            at("192.0.2.1")
        );
    }

    #[test]
    fn what_a_client_writes_itself_is_never_reached() {
        let trusted = networks(&["10.0.0.0/8"]);
        assert_eq!(
            client(at("10.0.0.1"), &["1.1.1.1, 203.0.113.9"], &trusted),
            at("203.0.113.9")
        );
        assert_eq!(
            client(
                at("10.0.0.1"),
                &["1.1.1.1", "203.0.113.9, 10.0.0.2"],
                &trusted
            ),
            at("203.0.113.9")
        );
        assert_eq!(
            client(at("10.0.0.1"), &["evil, 203.0.113.9:1234"], &trusted),
            at("203.0.113.9")
        );
    }

    #[test]
    fn an_entry_that_is_no_address_ends_the_belief() {
        let trusted = networks(&["10.0.0.0/8"]);
        for bad in ["", "unknown", "1.1.1.1, <script>"] {
            assert_eq!(client(at("10.0.0.1"), &[bad], &trusted), at("10.0.0.1"));
        }
        assert_eq!(
            client(at("10.0.0.1"), &["[2001:db8::1]"], &trusted),
            at("2001:db8::1")
        );
    }

    #[test]
    fn a_machine_can_not_get_more_by_its_other_addresses() {
        assert_eq!(
            neighbourhood(at("2001:db8::1")),
            neighbourhood(at("2001:db8::ffff"))
        );
        assert_ne!(
            neighbourhood(at("192.0.2.1")),
            neighbourhood(at("192.0.2.2"))
        );
    }
}
