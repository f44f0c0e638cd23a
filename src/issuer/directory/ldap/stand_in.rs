//! An LDAP server of the tests, by a plain connection on loopback: it answers each search as the test says, which
//! `slapd` can't do for what only Active Directory sends.

use ldap3::asn1::{PL, StructureTag, TagClass, parse_tag, write};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

/// A search as it was asked.
pub(super) struct Asked {
    pub(super) base: String,
    pub(super) attributes: Vec<String>,
}

/// An entry: its name, and attributes with their values.
pub(super) type Entry = (String, Vec<(String, Vec<String>)>);

/// What is sent to a search: these entries, and this code.
pub(super) type Answer = (Vec<Entry>, u8);

/// Answers one connection until its client goes; gives the address, and what was asked.
pub(super) fn serve(
    answer: impl Fn(&Asked) -> Answer + Send + 'static,
) -> (String, mpsc::Receiver<Vec<String>>) {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ldap://{}", door.local_addr().unwrap());
    let (told, asked) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = door.accept().unwrap();
        while let Some((id, operation)) = message(&mut stream) {
            let answers = match operation.id {
                0 => encoded(id, result(1, 0)),
                3 => {
                    let search = search(operation);
                    let _ = told.send(search.attributes.clone());
                    let (entries, code) = answer(&search);
                    let entries = entries.into_iter();
                    let mut all: Vec<u8> =
                        entries.flat_map(|one| encoded(id, entry(one))).collect();
                    all.extend(encoded(id, result(5, code)));
                    all
                }
                _ => return,
            };
            if stream.write_all(&answers).is_err() {
                return;
            }
        }
    });
    (url, asked)
}

/// The next message: its number and what is asked; none: the client is gone.
fn message(stream: &mut TcpStream) -> Option<(u8, StructureTag)> {
    let mut bytes = Vec::new();
    let mut some = [0; 4096];
    loop {
        if let Ok((_, whole)) = parse_tag(&bytes) {
            let mut parts = whole.expect_constructed()?.into_iter();
            let id = parts.next()?.expect_primitive()?;
            return Some((*id.last()?, parts.next()?));
        }
        match stream.read(&mut some) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&some[..count]),
            _ => return None,
        }
    }
}

fn search(operation: StructureTag) -> Asked {
    let mut parts = operation.expect_constructed().unwrap().into_iter();
    let text = |tag: StructureTag| String::from_utf8(tag.expect_primitive().unwrap()).unwrap();
    let base = text(parts.next().unwrap());
    let attributes = parts.next_back().unwrap().expect_constructed().unwrap();
    Asked {
        base,
        attributes: attributes.into_iter().map(text).collect(),
    }
}

fn tag(class: TagClass, id: u64, payload: PL) -> StructureTag {
    StructureTag { class, id, payload }
}

fn text(value: &str) -> StructureTag {
    tag(TagClass::Universal, 4, PL::P(value.as_bytes().to_vec()))
}

fn list(id: u64, parts: Vec<StructureTag>) -> StructureTag {
    tag(TagClass::Universal, id, PL::C(parts))
}

/// An `LDAPResult` (RFC 4511 §4.1.9).
fn result(operation: u64, code: u8) -> StructureTag {
    let code = tag(TagClass::Universal, 10, PL::P(vec![code]));
    tag(
        TagClass::Application,
        operation,
        PL::C(vec![code, text(""), text("")]),
    )
}

/// A `SearchResultEntry` (§4.5.2).
fn entry((name, attributes): Entry) -> StructureTag {
    let attributes = attributes.into_iter().map(|(name, values)| {
        let values = values.iter().map(|value| text(value)).collect();
        list(16, vec![text(&name), list(17, values)])
    });
    let attributes = list(16, attributes.collect());
    tag(
        TagClass::Application,
        4,
        PL::C(vec![text(&name), attributes]),
    )
}

fn encoded(id: u8, operation: StructureTag) -> Vec<u8> {
    let id = tag(TagClass::Universal, 2, PL::P(vec![id]));
    let mut bytes = bytes::BytesMut::new();
    write::encode_into(&mut bytes, list(16, vec![id, operation])).unwrap();
    bytes.to_vec()
}
