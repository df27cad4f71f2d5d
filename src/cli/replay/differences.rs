//! What two JSON documents say differently, as far as the first one speaks.

use serde_json::Value;

/// More are not shown.
const MOST: usize = 50;

/// Every place where `theirs` is not what `ours` says; what `ours` does not name is not looked at. Lists of objects with a
/// `target` or `rule` are compared by it: which of them there are is another question.
pub(super) fn differences(ours: &Value, theirs: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", ours, theirs, &mut found);
    if found.len() > MOST {
        let more = found.len() - MOST;
        found.truncate(MOST);
        found.push(format!("and {more} more"));
    }
    found
}

fn compare(place: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, value) in ours {
                let other = theirs.get(name).unwrap_or(&Value::Null);
                compare(&format!("{place}/{name}"), value, other, found);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => match ["target", "rule"].iter().find(|key| {
            ours.iter()
                .chain(theirs)
                .all(|item| item.get(**key).is_some())
        }) {
            Some(key) if !(ours.is_empty() && theirs.is_empty()) => {
                by_key(place, key, ours, theirs, found);
            }
            _ if ours.len() != theirs.len() => found.push(format!(
                "{place}: the journal leads to {} of them, the snapshot has {}",
                ours.len(),
                theirs.len()
            )),
            _ => {
                for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                    compare(&format!("{place}/{index}"), ours, theirs, found);
                }
            }
        },
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => found.push(format!(
            "{place}: the journal leads to {ours}, the snapshot has {theirs}"
        )),
    }
}

/// What the snapshot shows is compared; what is watched no more may still be in the journal.
fn by_key(place: &str, key: &str, ours: &[Value], theirs: &[Value], found: &mut Vec<String>) {
    for theirs in theirs {
        let ours = ours.iter().find(|ours| ours.get(key) == theirs.get(key));
        let name = &theirs[key];
        let name = name
            .get("name")
            .unwrap_or(name)
            .as_str()
            .unwrap_or("?")
            .to_owned();
        match ours {
            Some(ours) => compare(&format!("{place}/{name}"), ours, theirs, found),
            None if lasting(theirs) => found.push(format!(
                "{place}/{name}: the snapshot has something that the journal does not lead to"
            )),
            None => {}
        }
    }
}

/// Whether a snapshot shows anything of it that a journal would have.
fn lasting(shown: &Value) -> bool {
    ["current", "analysis", "plan", "incident", "scaled"]
        .iter()
        .any(|field| shown.get(*field).is_some_and(|value| !value.is_null()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_first_one_names_is_compared() {
        let ours = json!({"targets": [{"target": {"name": "a"}, "current": "v1", "holds": []}]});
        let same = json!({"at": 1, "targets": [
            {"target": {"name": "a"}, "current": "v1", "holds": [], "seen": true},
            {"target": {"name": "b"}, "current": null},
        ]});
        assert_eq!(differences(&ours, &same), Vec::<String>::new());
        let other = json!({"targets": [
            {"target": {"name": "a"}, "current": "v2", "holds": [{"guard": "x"}]},
            {"target": {"name": "b"}, "current": "v1"},
        ]});
        assert_eq!(differences(&ours, &other).len(), 3);
        assert_eq!(differences(&ours, &json!({})).len(), 1);
    }
}
