//! Reading the file that says which account at GitHub is whose.

use super::{Node, SourceText};
use crate::fault::ConfigFault;
use crate::tree::{FaultCollector, Value, shown};
use std::collections::BTreeMap;

/// Stable keys with the numbers of their accounts.
///
/// # Errors
/// All faults found, with line and column.
pub fn read_accounts(source: SourceText<'_>) -> Result<BTreeMap<String, u64>, Vec<ConfigFault>> {
    super::read(source, accounts)
}

fn accounts(tree: &Node, report: &mut FaultCollector<'_>) -> Option<BTreeMap<String, u64>> {
    let Value::Table(entries) = &tree.value else {
        return None;
    };
    let mut read: BTreeMap<String, u64> = BTreeMap::new();
    for entry in entries {
        let key = shown(&entry.key);
        let number = match &entry.node.value {
            Value::Whole(number) => number.and_then(|n| u64::try_from(n).ok()),
            _ => None,
        };
        let Some(number) = number.filter(|number| *number > 0) else {
            report.add(
                entry.node.place,
                format!("`{key}` has no number of an account"),
                "write the number that `https://api.github.com/users/LOGIN` tells as `id`, without quotes",
            );
            continue;
        };
        if let Some((other, _)) = read.iter().find(|(_, known)| **known == number) {
            report.add(
                entry.node.place,
                format!("`{}` and `{key}` have the same account", shown(other)),
                "keep the one whose account it is",
            );
        }
        read.insert(entry.key.clone(), number);
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::{SourceText, read_accounts};

    #[test]
    fn an_account_is_one_persons_and_a_number() {
        let read = |text| {
            let name = "accounts.toml";
            read_accounts(SourceText { name, text })
        };
        let good = read("# who is who\n\"00u1\" = 583231\nada = 5\n").unwrap();
        assert_eq!(good["00u1"], 583_231);
        assert_eq!(good.len(), 2);
        assert_eq!(read("").unwrap().len(), 0);
        for (text, said) in [
            ("ada = \"octocat\"", "number"),
            ("ada = 0", "number"),
            ("ada = -5", "number"),
            ("ada = 5\nbob = 5", "the same account"),
            ("ada = 5\nada = 6", ""),
            ("ada", ""),
        ] {
            let faults = read(text).unwrap_err();
            assert!(faults[0].to_string().contains(said), "{text}: {faults:?}");
        }
    }
}
