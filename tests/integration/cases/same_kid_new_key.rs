//! A provider that makes its keys anew at every start, under the same names: a signature that does not fit is a reason
//! to fetch the keys once more.

use crate::support::Company;
use crate::support::wait::{LONG, until};
use serde_json::json;

#[test]
fn the_issuer_takes_a_new_key_of_a_known_name() {
    let company = Company::start();
    let ask = || {
        let subject = company.id_token("ada", &json!({}));
        company.exchange(&subject, "acme/model", "role:model-reader read")
    };
    ask().expect(200);
    let same = json!({"same_kid": true});
    company.world.idp.control("rotate-keys", &same);
    until("an exchange by the new key", LONG, || {
        (ask().status == 200).then_some(())
    });
}
