//! What an LDAP server sends of an entry.

use ldap3::ResultEntry;
use ldap3::asn1::{PL, StructureTag};
use std::collections::BTreeMap;

/// An entry: its attributes in lower case.
pub(super) struct LdapEntry {
    pub(super) dn: String,
    attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

/// A distinguished name as two of them are compared.
pub(super) fn plain(dn: &str) -> String {
    let parts = dn.split(',').map(str::trim);
    parts.collect::<Vec<_>>().join(",").to_lowercase()
}

impl LdapEntry {
    /// Of what the server sent (RFC 4511 §4.5.2); none: it is no entry. The crate's own reader ends the program there.
    pub(super) fn of(sent: ResultEntry) -> Option<Self> {
        let PL::C(parts) = sent.0.payload else {
            return None;
        };
        let mut parts = parts.into_iter();
        let dn = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
        let mut attributes = BTreeMap::new();
        for one in parts.next()?.expect_constructed()? {
            let mut one = one.expect_constructed()?.into_iter();
            let name = String::from_utf8(one.next()?.expect_primitive()?).ok()?;
            let values = one.next()?.expect_constructed()?.into_iter();
            let values: Option<Vec<Vec<u8>>> = values.map(StructureTag::expect_primitive).collect();
            attributes.insert(name.to_lowercase(), values?);
        }
        Some(Self { dn, attributes })
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let values = self.attributes.get(&name.to_lowercase());
        values
            .into_iter()
            .flatten()
            .filter_map(|value| text(name, value))
            .collect()
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.texts(name).into_iter().next()
    }

    /// A part of an attribute's values, and where the next one begins.
    pub(super) fn range(&self, name: &str) -> Option<(Vec<String>, Option<u64>)> {
        let head = format!("{name};range=");
        let found = self
            .attributes
            .iter()
            .find_map(|(key, values)| Some((key.strip_prefix(&head)?, values)));
        let (range, values) = found?;
        let texts = values
            .iter()
            .filter_map(|value| String::from_utf8(value.clone()).ok());
        let (_, last) = range.split_once('-')?;
        Some((
            texts.collect(),
            last.parse::<u64>().ok().map(|last| last + 1),
        ))
    }
}

/// A value as text. `objectGUID` is 16 bytes, of which the first three numbers stand the other way round.
fn text(name: &str, value: &[u8]) -> Option<String> {
    if name.eq_ignore_ascii_case("objectGUID") && value.len() == 16 {
        let hex = |order: &[usize]| {
            let bytes: Vec<u8> = order.iter().map(|at| value[*at]).collect();
            hex::encode(bytes)
        };
        return Some(format!(
            "{}-{}-{}-{}-{}",
            hex(&[3, 2, 1, 0]),
            hex(&[5, 4]),
            hex(&[7, 6]),
            hex(&[8, 9]),
            hex(&[10, 11, 12, 13, 14, 15])
        ));
    }
    String::from_utf8(value.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::{LdapEntry, plain, text};
    use std::collections::BTreeMap;

    #[test]
    fn names_and_values_are_read_as_servers_write_them() {
        assert_eq!(
            plain("UID=Ada, OU=People,dc=acme"),
            "uid=ada,ou=people,dc=acme"
        );
        let guid: Vec<u8> = (0..16).collect();
        assert_eq!(
            text("objectGUID", &guid).unwrap(),
            "03020100-0504-0706-0809-0a0b0c0d0e0f"
        );
        assert_eq!(text("cn", &[0xff]), None);
        let of = |key: &str| LdapEntry {
            dn: "cn=ml".into(),
            attributes: BTreeMap::from([(key.to_owned(), vec![b"uid=ada".to_vec()])]),
        };
        assert_eq!(of("member").range("member"), None);
        let part = (vec!["uid=ada".to_owned()], Some(1500));
        assert_eq!(of("member;range=0-1499").range("member"), Some(part));
        assert_eq!(of("member;range=1500-*").range("member").unwrap().1, None);
    }
}
