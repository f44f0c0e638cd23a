//! For whom the tokens of a source are, how they are signed, and how often one counts.

use super::super::place::some_texts;
use super::super::preset::Preset;
use crate::fields::Fields;
use crate::suggest;
use crate::tree::{FaultCollector, shown};
use oam_model::issuer::TokenUse;
use oam_model::principal::PrincipalKind;

/// What is taken: asymmetric algorithms only. With `none` anybody signs, and with HMAC everybody who knows
/// the "public" key does (RFC 8725 §2.1).
const ALGORITHMS: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

/// What providers sign with when they are not asked for something else.
const USUAL_ALGORITHMS: [&str; 2] = ["RS256", "ES256"];

/// What `aud` must be. `known`: what is known of the source; `url`: the issuer's own address, for which a job asks unless
/// its kind can't.
pub(super) fn audiences(
    table: &Fields<'_>,
    kind: PrincipalKind,
    known: Option<&Preset>,
    url: &str,
    report: &mut FaultCollector<'_>,
) -> Vec<String> {
    if kind == PrincipalKind::Job && table.entry("audiences").is_none() {
        let fixed = known.and_then(|known| Some((known.name, known.audience?)));
        let Some((name, form)) = fixed else {
            return vec![url.to_owned()];
        };
        report.add(
            table.place,
            format!(
                "`{}` does not say for whom its tokens are: a job of {name} can't ask for one with this issuer's address as `aud`",
                shown(&table.path)
            ),
            format!("add audiences = [\"{form}\"], with your own"),
        );
        return Vec::new();
    }
    let why =
        "name the client id that the tokens are made for: a token for another program is no proof";
    let texts = some_texts(table, "audiences", why, report);
    texts.iter().map(|text| text.value.to_owned()).collect()
}

/// How often a token is exchanged.
pub(super) fn token_use(
    table: &Fields<'_>,
    kind: PrincipalKind,
    preset: Option<&Preset>,
    report: &mut FaultCollector<'_>,
) -> TokenUse {
    let once = table.yes("once", preset.is_some_and(|preset| preset.once), report);
    if let (true, PrincipalKind::Person, Some(entry)) = (once, kind, table.entry("once")) {
        report.add(
            entry.node.place,
            format!(
                "`{}` is for jobs: an agent exchanges a person's token for each hub and repository",
                shown(&table.path_of("once"))
            ),
            "remove the line",
        );
        return TokenUse::Repeated;
    }
    if once {
        TokenUse::Once
    } else {
        TokenUse::Repeated
    }
}

pub(super) fn algorithms(
    table: &Fields<'_>,
    preset: Option<&Preset>,
    report: &mut FaultCollector<'_>,
) -> Vec<String> {
    if table.entry("algorithms").is_none() {
        let usual = preset.map_or(&USUAL_ALGORITHMS[..], |preset| preset.algorithms);
        return usual.iter().map(|word| (*word).to_owned()).collect();
    }
    let why = "name the algorithms that the source signs with, or leave the key out";
    let texts = some_texts(table, "algorithms", why, report);
    for text in texts.iter().filter(|t| !ALGORITHMS.contains(&t.value)) {
        let path = shown(&table.path_of("algorithms"));
        let name = text.value.to_ascii_uppercase();
        if name == "NONE" || name.starts_with("HS") {
            report.add(
                text.place,
                format!(
                    "`{path}` can't hold `{}`: with it anybody can make tokens",
                    shown(text.value)
                ),
                "use the asymmetric one that the source signs with, such as `RS256` or `ES256`",
            );
        } else {
            report.add(
                text.place,
                format!("`{path}` can't hold `{}`", shown(text.value)),
                suggest::advice(text.value, &ALGORITHMS),
            );
        }
    }
    texts.iter().map(|text| text.value.to_owned()).collect()
}
