//! Every way that we know to weaken one forbid by one slip: what a tired author might do.
//!
//! Works on the policy as a tree (Cedar's JSON form), so that a mutant is always a policy. Each
//! changes one thing, so that the forbid applies to fewer requests than before, or to the same.

use std::collections::BTreeMap;

use cedar_policy::{Policy, PolicyId};
use firedoor::domain::codes::{DataClass, OffenceGroup, OrgKind, Purpose, Role};
use firedoor::domain::policy::Relationship;
use serde_json::{Value, json};

use crate::cases::id_of;
use crate::solver::Trouble;

/// How the mutants begin that add an exception.
const EXCUSE: &str = "excuse";

/// A forbid, weakened.
pub struct Mutant {
    pub how: String,
    /// The forbid is left out, or excused as a whole; not a slip in one part of it.
    pub whole: bool,
    /// `None` where the whole policy was left out.
    pub policy: Option<Policy>,
}

/// All mutants of one forbid, in order of their place in it.
pub fn mutants(policy: &Policy) -> Result<Vec<Mutant>, Trouble> {
    let tree = policy
        .to_json()
        .map_err(|error| Trouble(error.to_string()))?;
    let mut slips: Vec<(String, Value)> = scopes(&tree);
    for (index, condition) in list(&tree, "conditions").iter().enumerate() {
        let when = condition.get("kind") == Some(&json!("when"));
        let Some(body) = condition.get("body") else {
            continue;
        };
        // To weaken, a `when` must become true less often, an `unless` more often.
        for (how, body) in turned(body, !when) {
            let mut tree = tree.clone();
            put(&mut tree, &["conditions"], index, "body", body);
            slips.push((how, tree));
        }
    }
    for (how, body) in excuses() {
        let mut tree = tree.clone();
        if let Some(Value::Array(all)) = tree.get_mut("conditions") {
            all.push(json!({"kind": "unless", "body": body}));
        }
        slips.push((format!("{EXCUSE} {how}"), tree));
    }
    let mut all = vec![Mutant {
        how: "leave it out".to_owned(),
        whole: true,
        policy: None,
    }];
    for (how, tree) in slips {
        // A condition that is gone altogether does not parse as a policy; none of ours is.
        let policy = Policy::from_json(Some(PolicyId::new(id_of(policy))), tree)
            .map_err(|error| Trouble(format!("{}: {how}: {error}", id_of(policy))))?;
        all.push(Mutant {
            whole: how.starts_with(EXCUSE),
            how,
            policy: Some(policy),
        });
    }
    Ok(all)
}

/// The action scope made narrower.
fn scopes(tree: &Value) -> Vec<(String, Value)> {
    let action = tree.get("action").cloned().unwrap_or_default();
    let narrowed: Vec<(String, Value)> = match action.get("op").and_then(Value::as_str) {
        Some("All") => ["Tells", "Reads"]
            .map(|group| (format!("only {group}"), in_group(group)))
            .into(),
        Some("in") if action.pointer("/entity/id") == Some(&json!("Tells")) => {
            vec![("only Reads".to_owned(), in_group("Reads"))]
        }
        Some("in") => {
            let entities = list(&action, "entities");
            (0..entities.len())
                .filter(|_| entities.len() > 1)
                .map(|index| {
                    let mut fewer = entities.to_vec();
                    let gone = fewer.remove(index);
                    let scope = json!({"op": "in", "entities": fewer});
                    (format!("not for {}", named(&gone)), scope)
                })
                .collect()
        }
        Some(_) | None => Vec::new(),
    };
    narrowed
        .into_iter()
        .map(|(how, scope)| {
            let mut tree = tree.clone();
            if let Some(action) = tree.get_mut("action") {
                *action = scope;
            }
            (how, tree)
        })
        .collect()
}

fn in_group(group: &str) -> Value {
    json!({"op": "in", "entity": {"type": "Action", "id": group}})
}

/// What authors are asked for: an exception that sounds reasonable.
fn excuses() -> [(&'static str, Value); 3] {
    let var = |name: &str| json!({"Var": name});
    let get = |of: Value, attr: &str| json!({".": {"left": of, "attr": attr}});
    let is = |left: Value, kind: &str, id: &str| {
        json!({"==": {"left": left,
            "right": {"Value": {"__entity": {"type": kind, "id": id}}}}})
    };
    let consent = get(var("context"), "consent");
    [
        (
            "in a confirmed emergency",
            get(var("context"), "emergencyConfirmed"),
        ),
        (
            "with her explicit consent",
            json!({"&&": {
                "left": {"has": {"left": var("context"), "attr": "consent"}},
                "right": is(get(consent, "strength"), "ConsentStrength", "explicit")}}),
        ),
        (
            "for administrators",
            is(get(var("principal"), "role"), "Role", "org_admin"),
        ),
    ]
}

/// All trees in which one thing is changed so that the expression is true more often (`widen`) or
/// less often.
fn turned(tree: &Value, widen: bool) -> Vec<(String, Value)> {
    let Some((op, inner)) = tree.as_object().and_then(|object| object.iter().next()) else {
        return Vec::new();
    };
    let side = |name: &str| inner.get(name).cloned().unwrap_or_default();
    let both = |all: &mut Vec<(String, Value)>, deeper: &dyn Fn(&Value) -> Vec<(String, Value)>| {
        for name in ["left", "right"] {
            for (how, changed) in deeper(&side(name)) {
                let mut inner = inner.clone();
                if let Some(place) = inner.get_mut(name) {
                    *place = changed;
                }
                all.push((how, json!({op.as_str(): inner})));
            }
        }
    };
    let mut all = Vec::new();
    match op.as_str() {
        "&&" | "||" => {
            if (op == "&&") == widen {
                all.push((format!("without `{}`", brief(&side("left"))), side("right")));
                all.push((format!("without `{}`", brief(&side("right"))), side("left")));
            }
            both(&mut all, &|side| turned(side, widen));
        }
        "!" => {
            for (how, changed) in turned(&side("arg"), !widen) {
                all.push((how, json!({"!": {"arg": changed}})));
            }
        }
        // A list of ours that contains what the request has.
        "contains" | "containsAll" if side("left").get("Set").is_some() => {
            for (how, set) in lists(&side("left"), widen) {
                all.push((
                    how,
                    json!({op.as_str(): {"left": set, "right": side("right")}}),
                ));
            }
        }
        "containsAny" if side("right").get("Set").is_some() => {
            for (how, set) in lists(&side("right"), widen) {
                all.push((
                    how,
                    json!({op.as_str(): {"left": side("left"), "right": set}}),
                ));
            }
        }
        _ => {}
    }
    all
}

/// A literal list with one member more (`widen`) or one less.
fn lists(set: &Value, widen: bool) -> Vec<(String, Value)> {
    let members = list(set, "Set");
    if !widen {
        return (0..members.len())
            .filter(|_| members.len() > 1)
            .map(|index| {
                let mut fewer = members.to_vec();
                let gone = fewer.remove(index);
                (format!("not for {}", named(&gone)), json!({"Set": fewer}))
            })
            .collect();
    }
    let kind = members
        .first()
        .and_then(|member| member.pointer("/Value/__entity/type"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    known()
        .get(kind)
        .into_iter()
        .flatten()
        .map(|id| json!({"Value": {"__entity": {"type": kind, "id": id}}}))
        .filter(|member| !members.contains(member))
        .map(|member| {
            let how = format!("also for {}", named(&member));
            let mut more = members.to_vec();
            more.push(member);
            (how, json!({"Set": more}))
        })
        .collect()
}

/// The closed lists that stand in policies.
fn known() -> BTreeMap<&'static str, Vec<&'static str>> {
    fn codes<C: Copy>(all: &[C], code: fn(C) -> &'static str) -> Vec<&'static str> {
        all.iter().map(|one| code(*one)).collect()
    }
    BTreeMap::from([
        ("OrgKind", codes(OrgKind::ALL, OrgKind::code)),
        ("Role", codes(Role::ALL, Role::code)),
        ("Purpose", codes(Purpose::ALL, Purpose::code)),
        ("DataClass", codes(DataClass::ALL, DataClass::code)),
        ("OffenceGroup", codes(OffenceGroup::ALL, OffenceGroup::code)),
        ("Relationship", codes(Relationship::ALL, Relationship::code)),
    ])
}

fn list<'a>(tree: &'a Value, name: &str) -> &'a [Value] {
    tree.get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn put(tree: &mut Value, path: &[&str], index: usize, name: &str, value: Value) {
    let found = path
        .iter()
        .try_fold(tree, |tree, step| tree.get_mut(*step))
        .and_then(|tree| tree.get_mut(index))
        .and_then(|tree| tree.get_mut(name));
    if let Some(place) = found {
        *place = value;
    }
}

fn named(member: &Value) -> String {
    let id = member
        .pointer("/Value/__entity/id")
        .or_else(|| member.get("id"));
    id.and_then(Value::as_str).unwrap_or("one").to_owned()
}

/// An expression, shortly: the attributes and members that it names.
fn brief(tree: &Value) -> String {
    fn gather(tree: &Value, found: &mut Vec<String>) {
        match tree {
            Value::Object(object) => {
                for key in ["attr", "id"] {
                    if let Some(Value::String(text)) = object.get(key) {
                        found.push(text.clone());
                    }
                }
                object.values().for_each(|value| gather(value, found));
            }
            Value::Array(all) => all.iter().for_each(|value| gather(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    gather(tree, &mut found);
    let more = if found.len() > 4 { " ..." } else { "" };
    found.truncate(4);
    format!("{}{more}", found.join(" "))
}
