//! Where the issuer listens, and whose forwarding headers it believes.

use super::place::absolute;
use crate::fields::{Fields, Placed};
use crate::tree::{FaultCollector, shown};
use oam_model::issuer::TlsFiles;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where it listens when nothing is said: only this machine, because nothing is said of TLS either.
const USUAL: &str = "127.0.0.1:8443";

/// `listen`, `[tls]` and `trusted_proxies`, which only together say whether tokens stay private.
pub(super) struct ListenSettings {
    pub(super) listen: Vec<String>,
    pub(super) tls: Option<TlsFiles>,
    pub(super) trusted_proxies: Vec<String>,
}

pub(super) fn read(
    root: &Fields<'_>,
    url: Option<&str>,
    report: &mut FaultCollector<'_>,
) -> ListenSettings {
    let tls = tls(root, report);
    let trusted_proxies = proxies(root, report);
    let private = root.entry("tls").is_some() || root.entry("trusted_proxies").is_some();
    if url.is_some_and(|url| url.starts_with("https://")) && !private {
        let place = root.entry("url").map_or(root.place, |entry| entry.place);
        report.add(
            place,
            "`url` is https, and nothing here says where TLS ends: behind a proxy that is not named everybody \
             seems to come from this machine",
            "add [tls], or name the proxy in `trusted_proxies`, [\"127.0.0.1/32\"] for one on this machine",
        );
    }
    let Some(written) = root.texts("listen", report) else {
        return ListenSettings {
            listen: vec![USUAL.to_owned()],
            tls,
            trusted_proxies,
        };
    };
    if written.value.is_empty() {
        report.add(
            written.place,
            "`listen` is empty, so nobody could reach the issuer",
            format!("write [\"{USUAL}\"] or leave the key out"),
        );
    }
    let private = root.entry("tls").is_some() || !trusted_proxies.is_empty();
    for text in &written.value {
        address(text, private, report);
    }
    ListenSettings {
        listen: written.value.iter().map(|t| t.value.to_owned()).collect(),
        tls,
        trusted_proxies,
    }
}

fn address(text: &Placed<&str>, private: bool, report: &mut FaultCollector<'_>) {
    let Ok(address) = text.value.parse::<SocketAddr>() else {
        report.add(
            text.place,
            format!(
                "`listen`: `{}` is not an address with a port",
                shown(text.value)
            ),
            format!("write it like `{USUAL}`, `0.0.0.0:8443` or `[::]:8443`"),
        );
        return;
    };
    if !private && !address.ip().is_loopback() {
        report.add(
            text.place,
            format!(
                "`listen`: `{}` is open to others without TLS, so anybody on the way could read tokens",
                shown(text.value)
            ),
            "add [tls], or listen on 127.0.0.1, or name the proxy that ends TLS in `trusted_proxies`",
        );
    }
}

fn tls(root: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<TlsFiles> {
    let entry = root.entry("tls")?;
    let known = ["certificate", "key"];
    let table = Fields::open(&entry.node, entry.place, "tls", &known, report);
    for key in known {
        if table.entry(key).is_none() {
            table.missing(key, report);
        }
    }
    let certificate = absolute(&table, "certificate", report);
    let key = absolute(&table, "key", report);
    Some(TlsFiles {
        certificate: certificate?,
        key: key?,
    })
}

fn proxies(root: &Fields<'_>, report: &mut FaultCollector<'_>) -> Vec<String> {
    let texts = root.texts("trusted_proxies", report);
    let texts = texts.map_or_else(Vec::new, |texts| texts.value);
    for text in &texts {
        if let Err((what, next)) = network(text.value) {
            report.add(
                text.place,
                format!("`trusted_proxies`: `{}` {what}", shown(text.value)),
                next,
            );
        }
    }
    texts.iter().map(|text| text.value.to_owned()).collect()
}

/// Checks a network in CIDR form.
fn network(text: &str) -> Result<(), (&'static str, String)> {
    let form = || {
        (
            "is not a network",
            "write it like `10.1.2.0/24` or `fd00::/64`".to_owned(),
        )
    };
    if let Ok(address) = text.parse::<IpAddr>() {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        return Err(("has no length", format!("write `{address}/{bits}`")));
    }
    let (address, length) = text.split_once('/').ok_or_else(form)?;
    let address: IpAddr = address.parse().map_err(|_| form())?;
    let length: u32 = length.parse().map_err(|_| form())?;
    let first = match address {
        IpAddr::V4(v4) if length <= 32 => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) if length <= 128 => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
        _ => return Err(form()),
    };
    if length == 0 {
        return Err((
            "is everybody, who could then claim any address",
            "name the network of the proxy only".to_owned(),
        ));
    }
    if first != address {
        return Err((
            "has bits beyond its length",
            format!("write `{first}/{length}`"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn a_network_is_written_in_its_one_form() {
        for good in ["10.0.0.0/8", "127.0.0.1/32", "fd00::/64", "::1/128"] {
            assert!(network(good).is_ok(), "{good}");
        }
        for (bad, next) in [
            ("10.1.2.3", "write `10.1.2.3/32`"),
            ("10.1.2.3/24", "write `10.1.2.0/24`"),
            ("0.0.0.0/0", "only"),
            ("10.0.0.0/33", "like"),
            ("proxy.example", "like"),
            ("fd00::1/64", "write `fd00::/64`"),
        ] {
            let (_, said) = network(bad).unwrap_err();
            assert!(said.contains(next), "{bad}: {said}");
        }
    }
}
