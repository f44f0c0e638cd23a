//! The organization's set-up in the user's `config.toml`: what is published is set, the person's
//! comments, order and other keys stay.

use oam_config::organization::written;
use oam_model::organization::{Organization, Route};
use oam_model::refusal::Refusal;
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

/// What stands below `[orgs.NAME]` as published and not otherwise: a hub of which the issuer knows nothing
/// could never be served.
const WHOLE: [&str; 5] = ["extra", "exchange", "hubs", "reauth", "device"];

/// The user's text with the set-up in it, and the keys that the company enforces, which are left out.
///
/// # Errors
/// A text that is no TOML, or a place where something else stands.
pub fn with(
    user: &str,
    company: Option<&str>,
    organization: &Organization,
    route: &Route,
) -> Result<(String, Vec<String>), Refusal> {
    let name = organization.org.as_str();
    let mut published = published(organization)?;
    let mut enforced = Vec::new();
    if let Some(company) = company {
        let company = parse(company, "the company's configuration")?;
        let below = company
            .get("enforce")
            .and_then(|item| item.get("orgs")?.get(name)?.as_table_like());
        if let Some(below) = below {
            leave_out(&mut published, below, "", &mut enforced);
            enforced.sort();
        }
    }
    let mut document = parse(user, "your configuration")?;
    let orgs = table_in(document.as_table_mut(), "orgs", true)?;
    let org = table_in(orgs, name, false)?;
    // The issuer says the roles: a second list here would be refused.
    org.remove("roles");
    for (key, item) in &published {
        match item.as_table_like() {
            Some(fresh) => exactly(table_in(org, key, key == "hubs")?, fresh)?,
            None => put(org, key, item),
        }
    }
    for (key, value) in [
        ("ca_file", &route.ca_file),
        ("proxy", &route.proxy),
        ("proxy_auth_file", &route.proxy_auth_file),
    ] {
        if let Some(value) = value {
            put(org, key, &toml_edit::value(value));
        }
    }
    for key in WHOLE {
        if !published.contains_key(key) && !enforced.iter().any(|path| path.starts_with(key)) {
            org.remove(key);
        }
    }
    Ok((document.to_string(), enforced))
}

fn published(organization: &Organization) -> Result<Table, Refusal> {
    let refused = |why: String| {
        Refusal::unavailable(
            format!("the set-up of {} can't be written: {why}", organization.org),
            "tell the administrators of the organization",
        )
    };
    let text = written(organization).map_err(refused)?;
    let mut document = parse(&text, "the published set-up")?;
    document
        .get_mut("orgs")
        .and_then(|orgs| orgs.get_mut(organization.org.as_str())?.as_table_mut())
        .map(std::mem::take)
        .ok_or_else(|| refused("it is empty".to_owned()))
}

fn parse(text: &str, whose: &str) -> Result<DocumentMut, Refusal> {
    text.parse().map_err(|_| {
        Refusal::unavailable(
            format!("{whose} is not TOML, so nothing is written into it"),
            "run `oam config check`, then correct it",
        )
    })
}

/// Takes away what the company enforces; a key whose value would be another is told.
fn leave_out(ours: &mut Table, theirs: &dyn TableLike, path: &str, told: &mut Vec<String>) {
    for (key, item) in theirs.iter() {
        let here = if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        };
        let Some(own) = ours.get_mut(key) else {
            continue;
        };
        if let (Some(own), Some(theirs)) = (own.as_table_mut(), item.as_table_like()) {
            leave_out(own, theirs, &here, told);
            continue;
        }
        let equal = matches!((&*own, item), (Item::Value(a), Item::Value(b)) if same(a, b));
        ours.remove(key);
        if !equal {
            told.push(here);
        }
    }
}

/// The table `key`, made when it is not there.
fn table_in<'t>(
    within: &'t mut dyn TableLike,
    key: &str,
    implicit: bool,
) -> Result<&'t mut dyn TableLike, Refusal> {
    if within.get(key).is_none_or(Item::is_none) {
        let mut table = Table::new();
        table.set_implicit(implicit);
        within.insert(key, Item::Table(table));
    }
    within
        .get_mut(key)
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| {
            Refusal::unavailable(
                format!("`{key}` in your configuration is not a table, so nothing is written"),
                "run `oam config check`, then correct it",
            )
        })
}

/// Makes `own` hold what `fresh` holds and nothing else.
fn exactly(own: &mut dyn TableLike, fresh: &dyn TableLike) -> Result<(), Refusal> {
    let gone: Vec<String> = own
        .iter()
        .filter(|(key, _)| !fresh.contains_key(key))
        .map(|(key, _)| key.to_owned())
        .collect();
    for key in gone {
        own.remove(&key);
    }
    for (key, item) in fresh.iter() {
        match item.as_table_like() {
            Some(below) => exactly(table_in(own, key, false)?, below)?,
            None => put(own, key, item),
        }
    }
    Ok(())
}

/// Sets a value; one that is there and says the same stays as it is written, comment included.
fn put(own: &mut dyn TableLike, key: &str, item: &Item) {
    let Item::Value(fresh) = item else { return };
    if let Some(Item::Value(old)) = own.get_mut(key) {
        if !same(old, fresh) {
            let decor = old.decor().clone();
            *old = fresh.clone();
            *old.decor_mut() = decor;
        }
        return;
    }
    let mut fresh = fresh.clone();
    fresh.decor_mut().clear();
    own.insert(key, Item::Value(fresh));
}

/// Whether two values say the same, however they are spelled.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.value() == b.value(),
        (Value::Integer(a), Value::Integer(b)) => a.value() == b.value(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use oam_config::organization::fixture::acme;
    use oam_model::organization::{Organization, Route};
    use oam_model::refusal::Refusal;

    fn with(
        user: &str,
        company: Option<&str>,
        organization: &Organization,
    ) -> Result<(String, Vec<String>), Refusal> {
        super::with(user, company, organization, &Route::default())
    }

    #[test]
    fn roots_and_proxy_of_the_command_line_are_kept() {
        let route = Route {
            ca_file: Some("/etc/ssl/acme.pem".into()),
            proxy: Some("http://proxy.acme.example:3128".into()),
            proxy_auth_file: Some("/home/ada/.config/oam/proxy".into()),
        };
        let (text, _) = super::with("", None, &acme(), &route).unwrap();
        assert!(text.contains("ca_file = \"/etc/ssl/acme.pem\"\n"), "{text}");
        assert!(
            text.contains("proxy = \"http://proxy.acme.example:3128\"\n"),
            "{text}"
        );
        assert!(
            text.contains("proxy_auth_file = \"/home/ada/.config/oam/proxy\"\n"),
            "{text}"
        );
        // And stay when nothing is said of them.
        assert_eq!(with(&text, None, &acme()).unwrap().0, text);
    }

    #[test]
    fn an_empty_file_becomes_the_whole_set_up_and_then_stays() {
        let (text, enforced) = with("", None, &acme()).unwrap();
        assert!(enforced.is_empty());
        for line in [
            "[orgs.acme]",
            "issuer = \"https://login.acme.example\"",
            "[orgs.acme.exchange]",
            "kind = \"issuer\"",
            "url = \"https://issuer.acme.example\"",
            "[orgs.acme.hubs.models]",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        assert_eq!(with(&text, None, &acme()).unwrap().0, text);
    }

    #[test]
    fn what_the_person_wrote_stays_where_it_is() {
        let before = "# mine\ndefault_org = 'other'  # the usual one\n\n[orgs.other]\nissuer = \"x\"\n\n\
            [orgs.acme]\n# where we sign in\nissuer = 'https://login.acme.example' # same\n\
            client_id = \"old\" # changes\nca_file = \"/etc/ssl/acme.pem\"\n\n\
            [orgs.acme.hubs.gone]\nurl = \"https://gone.example\"\n\n# the end\n";
        let (text, _) = with(before, None, &acme()).unwrap();
        for kept in [
            "# mine\ndefault_org = 'other'  # the usual one\n",
            "# where we sign in\nissuer = 'https://login.acme.example' # same\n",
            "client_id = \"oam\" # changes\n",
            "ca_file = \"/etc/ssl/acme.pem\"\n",
            "# the end",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert!(!text.contains("gone.example"), "{text}");
        assert_eq!(with(&text, None, &acme()).unwrap().0, text);
    }

    #[test]
    fn another_kind_of_exchange_is_replaced_as_a_whole_and_its_roles_go() {
        let before = "[orgs.acme]\nissuer = \"x\"\n[orgs.acme.exchange]\nkind = \"rfc8693\"\n\
            token_endpoint = \"https://t.example\"\nscope = \"x\"\n\
            [orgs.acme.roles.reader]\ngrants = []\n";
        let (text, _) = with(before, None, &acme()).unwrap();
        assert!(
            !text.contains("token_endpoint") && !text.contains("roles"),
            "{text}"
        );
        assert!(text.contains("kind = \"issuer\""), "{text}");
    }

    #[test]
    fn an_inline_organization_stays_inline() {
        let (text, _) = with("orgs = { acme = { issuer = \"x\" } }\n", None, &acme()).unwrap();
        assert!(text.starts_with("orgs = {"), "{text}");
        assert!(text.parse::<toml_edit::DocumentMut>().is_ok(), "{text}");
    }

    #[test]
    fn what_the_company_enforces_is_left_out_and_told_where_it_differs() {
        let company = "[enforce.orgs.acme]\nissuer = \"https://login.acme.example\"\nlease = \"1m\"\n\
            [enforce.orgs.acme.exchange]\nurl = \"https://other.example\"\n";
        let (text, enforced) = with("", Some(company), &acme()).unwrap();
        assert_eq!(enforced, ["exchange.url", "lease"]);
        for gone in ["lease", "https://issuer.acme.example", "issuer ="] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        assert!(text.contains("kind = \"issuer\""), "{text}");
    }

    #[test]
    fn a_file_that_can_not_be_understood_is_not_touched() {
        for bad in ["a = ", "orgs = 3", "[orgs]\nacme = \"x\"", "[[orgs]]"] {
            assert!(with(bad, None, &acme()).is_err(), "{bad}");
        }
    }
}
