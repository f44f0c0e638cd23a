//! Which attributes are kept, and how that is told (RFC 7643 §5 to §7).

use serde_json::{Value, json};

/// Name of a user's schema.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Name of a group's schema.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// Name of the form of a list.
pub const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// Name of the form of an error.
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// What an attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeKind {
    /// A text.
    Text,
    /// The address of a user.
    Reference,
    /// True or false.
    Flag,
    /// Several parts.
    Parts(&'static [Attribute]),
    /// Several values, each of parts.
    Values(&'static [Attribute]),
}

/// An attribute that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    /// As SCIM spells it.
    pub name: &'static str,
    /// What it holds.
    pub kind: AttributeKind,
    /// Whether a record has to have it.
    pub required: bool,
    /// Whether letter case counts.
    pub case_exact: bool,
    /// For people.
    pub description: &'static str,
}

const fn text(name: &'static str, description: &'static str) -> Attribute {
    Attribute {
        name,
        kind: AttributeKind::Text,
        required: false,
        case_exact: false,
        description,
    }
}

const fn flag(name: &'static str, description: &'static str) -> Attribute {
    Attribute {
        kind: AttributeKind::Flag,
        ..text(name, description)
    }
}

/// Attributes of a user.
pub const OF_USER: &[Attribute] = &[
    Attribute {
        required: true,
        ..text("userName", "What the person signs in with")
    },
    text("displayName", "The name as it is shown"),
    Attribute {
        kind: AttributeKind::Parts(&[
            text("formatted", "The whole name"),
            text("familyName", "The family name"),
            text("givenName", "The given name"),
            text("middleName", "The middle name"),
            text("honorificPrefix", "A title before the name"),
            text("honorificSuffix", "A title behind the name"),
        ]),
        ..text("name", "The parts of the name")
    },
    Attribute {
        // A record without it says nothing of the account, and taking it away would say less.
        required: true,
        ..flag("active", "Whether the account may be used")
    },
    Attribute {
        kind: AttributeKind::Values(&[
            text("value", "The address"),
            text("display", "As it is shown"),
            text("type", "work, home or other"),
            flag("primary", "Whether it is the preferred one"),
        ]),
        ..text("emails", "E-mail addresses")
    },
];

/// Attributes of a group.
pub const OF_GROUP: &[Attribute] = &[
    Attribute {
        required: true,
        ..text("displayName", "The name of the group")
    },
    Attribute {
        kind: AttributeKind::Values(&[
            Attribute {
                case_exact: true,
                ..text("value", "The id of a user")
            },
            Attribute {
                kind: AttributeKind::Reference,
                case_exact: true,
                ..text("$ref", "The address of that user")
            },
            text("type", "User: groups in groups are not kept"),
        ]),
        ..text("members", "The users in the group")
    },
];

/// Attributes of every record.
pub const EXTERNAL_ID: Attribute = Attribute {
    case_exact: true,
    ..text("externalId", "The directory's own identifier")
};

/// What RFC 7643 has besides, of which nothing is kept: a directory that sends it is not wrong. A password is among
/// it, and is dropped like the others.
const NOT_KEPT: &[&str] = &[
    "schemas",
    "id",
    "meta",
    "nickname",
    "profileurl",
    "title",
    "usertype",
    "preferredlanguage",
    "locale",
    "timezone",
    "password",
    "phonenumbers",
    "ims",
    "photos",
    "addresses",
    "groups",
    "entitlements",
    "roles",
    "x509certificates",
];

/// What is meant by an attribute's name in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// It is kept.
    Kept(&'static Attribute),
    /// It is known, and nothing of it is kept.
    NotKept,
    /// No schema has it.
    Unknown,
}

/// Looks an attribute up among those of a kind of record.
pub fn meant(of: &'static [Attribute], name: &str) -> Meant {
    let mut all = of.iter().chain(std::iter::once(&EXTERNAL_ID));
    match all.find(|known| known.name.eq_ignore_ascii_case(name)) {
        Some(known) => Meant::Kept(known),
        None if NOT_KEPT.contains(&name) => Meant::NotKept,
        None => Meant::Unknown,
    }
}

/// A part of an attribute by its name in lower case.
pub fn part(of: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    of.iter()
        .find(|known| known.name.eq_ignore_ascii_case(name))
}

fn described(attribute: &Attribute) -> Value {
    let parts = match attribute.kind {
        AttributeKind::Parts(parts) | AttributeKind::Values(parts) => parts,
        AttributeKind::Text | AttributeKind::Reference | AttributeKind::Flag => &[],
    };
    let kind = match attribute.kind {
        AttributeKind::Text => "string",
        AttributeKind::Reference => "reference",
        AttributeKind::Flag => "boolean",
        _ => "complex",
    };
    let unique = matches!(attribute.name, "userName");
    let immutable = attribute.case_exact && attribute.name != "externalId";
    let mut document = json!({
        "name": attribute.name,
        "type": kind,
        "multiValued": matches!(attribute.kind, AttributeKind::Values(_)),
        "description": attribute.description,
        "required": attribute.required,
        "mutability": if immutable { "immutable" } else { "readWrite" },
        "returned": "default",
    });
    if kind == "string" {
        document["caseExact"] = attribute.case_exact.into();
        document["uniqueness"] = if unique { "server" } else { "none" }.into();
    }
    if kind == "reference" {
        document["referenceTypes"] = json!(["User"]);
        document["caseExact"] = true.into();
    }
    if attribute.description.starts_with("User:") {
        document["canonicalValues"] = json!(["User"]);
    }
    if !parts.is_empty() {
        document["subAttributes"] = parts.iter().map(described).collect();
    }
    document
}

fn schema(url: &str, id: &str, name: &str, of: &[Attribute]) -> Value {
    json!({
        "schemas": [SCHEMA],
        "id": id,
        "name": name,
        "description": format!("A {} of the company's directory", name.to_lowercase()),
        "attributes": of.iter().map(described).collect::<Value>(),
        "meta": { "resourceType": "Schema", "location": format!("{url}/Schemas/{id}") },
    })
}

/// `/Schemas`.
pub fn schemas(url: &str) -> Vec<Value> {
    vec![
        schema(url, USER, "User", OF_USER),
        schema(url, GROUP, "Group", OF_GROUP),
    ]
}

/// `/ResourceTypes`.
pub fn resource_types(url: &str) -> Vec<Value> {
    let one = |name: &str, endpoint: &str, schema: &str| {
        json!({
            "schemas": [RESOURCE_TYPE],
            "id": name,
            "name": name,
            "endpoint": endpoint,
            "description": format!("A {} of the company's directory", name.to_lowercase()),
            "schema": schema,
            "schemaExtensions": [],
            "meta": {
                "resourceType": "ResourceType",
                "location": format!("{url}/ResourceTypes/{name}"),
            },
        })
    };
    vec![one("User", "/Users", USER), one("Group", "/Groups", GROUP)]
}

/// `/ServiceProviderConfig`.
pub fn config(url: &str, most_results: usize) -> Value {
    json!({
        "schemas": [CONFIG],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": most_results },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token of the directory, made by `oam-issuer scim token`",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{url}/ServiceProviderConfig"),
        },
    })
}
