//! Connections on loopback, as the kernel tells them: whether a transfer is open, stands still, or has ended.

use super::World;
use super::wait::until_true;
use std::collections::BTreeMap;

/// The established connections to this port, by the address of their client, with what is in their queues.
pub fn established(port: u16) -> BTreeMap<String, String> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().skip(1).filter_map(|row| {
        let mut fields = row.split_whitespace().skip(1);
        let (client, server) = (fields.next()?, fields.next()?);
        let (state, queues) = (fields.next()?, fields.next()?);
        // proc_net_tcp: 01 is ESTABLISHED.
        let open = state == "01" && server.ends_with(&format!(":{port:04X}"));
        open.then(|| (client.to_owned(), queues.to_owned()))
    });
    rows.collect()
}

/// The port of an address like `http://127.0.0.1:4711`.
pub fn port(address: &str) -> u16 {
    let number = address
        .rsplit(':')
        .next()
        .and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("no port in {address}"))
}

/// The hub's.
pub fn hub_port(world: &World) -> u16 {
    port(world.hub.get("url"))
}

/// Waits until no byte has moved on the connections to these ports for half a second, and some lie in queues.
pub fn until_they_stand_still(ports: &[u16]) {
    let look = || {
        ports
            .iter()
            .map(|port| established(*port))
            .collect::<Vec<_>>()
    };
    let (mut last, mut same) = (look(), 0);
    until_true("a transfer that stands still", || {
        let now = look();
        let full = now[0].values().any(|queues| queues != "00000000:00000000");
        same = if full && now == last { same + 1 } else { 0 };
        last = now;
        same >= 50
    });
}

/// Does `end`, and waits until none of the connections that were open to these ports is. How soon that is, is no matter of
/// a test on a loaded machine: the demo prints it.
pub fn cut_by(ports: &[u16], end: impl FnOnce()) {
    let open = || ports.iter().flat_map(|port| established(*port));
    let before: BTreeMap<String, String> = open().collect();
    assert!(!before.is_empty(), "nothing is open");
    end();
    until_true("all that was open to end", || {
        open().all(|(client, _)| !before.contains_key(&client))
    });
}
