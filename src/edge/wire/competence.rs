//! Whose word a consent is: her own, or for a child that cannot speak a parent's, never one whom the
//! child is to be kept safe from; and never through a relative who interprets (`domain.md` 4.3).

use super::{ConsentIn, Wrong};
use crate::domain::codes::{Competence, GivenBy, Interpreter, Parent, YesNoUnknown};

impl ConsentIn {
    pub(super) fn competence(&self, wrong: &mut Wrong) -> (Competence, Option<Parent>) {
        let competence = wrong.maybe(
            "consent.competence",
            self.competence.as_ref(),
            Competence::Adult,
            Competence::parse,
        );
        let of_parent = self.given_by.as_deref() == Some(GivenBy::ParentGuardian.code());
        let for_child = competence == Competence::ParentForChild;
        if of_parent != for_child {
            wrong.add(
                "consent.competence",
                "a parent or guardian speaks for a child that cannot: send parent_for_child with \
                 given_by parent_guardian, or neither",
            );
        }
        let parent = self
            .parent
            .as_ref()
            .and_then(|code| wrong.code("consent.parent", code, Parent::parse));
        let other_party = self.parent_is_other_party.as_ref().and_then(|code| {
            wrong.code("consent.parent_is_other_party", code, YesNoUnknown::parse)
        });
        if !for_child {
            if self.parent.is_some() || self.parent_is_other_party.is_some() {
                wrong.add("consent.parent", "only with parent_for_child");
            }
            return (competence, None);
        }
        if self.parent.is_none() {
            wrong.add("consent.parent", "say who speaks for the child");
        }
        if other_party != Some(YesNoUnknown::No) {
            wrong.add(
                "consent.parent_is_other_party",
                "a parent whom the child is to be kept safe from never speaks for it: send no, or \
                 ask somebody else who may",
            );
        }
        (competence, parent)
    }

    pub(super) fn not_through_a_relative(&self, wrong: &mut Wrong) {
        if self.interpreter.as_deref() == Some(Interpreter::Family.code()) {
            wrong.add(
                "consent.interpreter",
                "a relative interpreted: ask her again with a professional interpreter; if she may \
                 want something stopped, take a withdrawal with pause meanwhile",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::codes::{DataClass, Purpose};
    use crate::domain::journey::trial;

    fn fields(change: Value) -> Vec<&'static str> {
        let mut body = json!({
            "decision": "permit", "how": "spoken", "other_party_present": "no",
        });
        let changed = change.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(changed);
        let sent: ConsentIn = serde_json::from_value(body).unwrap();
        let parsed = sent.parse(
            &trial::org("lantern"),
            trial::start(),
            &[DataClass::Op],
            &[Purpose::Support],
        );
        let wrong = parsed.err().unwrap_or_default();
        wrong.into_iter().map(|one| one.field).collect()
    }

    #[test]
    fn a_parent_speaks_for_a_child_unless_the_child_is_to_be_kept_safe_from_that_parent() {
        let parent = |change: Value| {
            let mut whole = json!({
                "given_by": "parent_guardian", "competence": "parent_for_child",
                "parent": "mother", "parent_is_other_party": "no",
            });
            let changed = change.as_object().unwrap().clone();
            whole.as_object_mut().unwrap().extend(changed);
            fields(whole)
        };
        assert!(parent(json!({})).is_empty());
        for other_party in [json!("yes"), json!("unknown"), Value::Null] {
            assert_eq!(
                parent(json!({ "parent_is_other_party": other_party })),
                ["consent.parent_is_other_party"]
            );
        }
        assert_eq!(parent(json!({ "parent": null })), ["consent.parent"]);
        assert!(!parent(json!({ "competence": "adult" })).is_empty());
    }

    #[test]
    fn a_child_who_understands_speaks_for_herself() {
        assert!(fields(json!({ "competence": "gillick_competent" })).is_empty());
        let both = json!({ "competence": "gillick_competent", "given_by": "parent_guardian" });
        assert_eq!(fields(both), ["consent.competence"]);
        let parent = json!({ "competence": "gillick_competent", "parent": "father" });
        assert_eq!(fields(parent), ["consent.parent"]);
    }

    #[test]
    fn a_relative_never_interprets_her_consent_or_her_refusal() {
        for decision in ["permit", "deny"] {
            let through = json!({ "decision": decision, "interpreter": "family" });
            assert_eq!(fields(through), ["consent.interpreter"]);
        }
        assert!(fields(json!({ "interpreter": "professional" })).is_empty());
    }
}
