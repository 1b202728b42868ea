//! Which assessments are shown where she has more than one answer holds (`domain.md` 3.2): never without
//! the highest grade, never without a grade that differs from it, never without what two services
//! disagree about.

use crate::domain::assessment::Assessment;

use super::SHOWN_MAX;

/// Sources that one question looks at: more than anybody has, those of the highest grade first.
pub(super) const LOOKED_AT_MAX: usize = 200;

/// The places of those that are shown, in their order. `all` may be told, the highest grade first and
/// of one grade the newest.
pub(super) fn chosen(all: &[&Assessment]) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::new();
    let mut take = |place: usize| {
        if places.len() < SHOWN_MAX && !places.contains(&place) {
            places.push(place);
        }
    };
    let is_first_of_grade = |place: &usize| {
        let grade = all.get(*place).map(|one| one.grade);
        !all.iter().take(*place).any(|one| Some(one.grade) == grade)
    };
    (0..all.len()).filter(is_first_of_grade).for_each(&mut take);
    for (place, one) in all.iter().enumerate() {
        let named =
            |other: &&Assessment| one.disagreements.iter().any(|with| with.with == other.id);
        for (other, _) in all.iter().enumerate().filter(|(_, other)| named(other)) {
            take(place);
            take(other);
        }
    }
    (0..all.len()).for_each(&mut take);
    places.sort_unstable();
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::assessment::Disagreement;
    use crate::domain::codes::{DisagreementReason, Grade, OrgKind};
    use crate::domain::id::{AssessmentId, Id, PersonId};
    use crate::domain::journey::trial::{org, start};

    fn one(number: u8, grade: Grade) -> Assessment {
        let id = Id::from_bytes([number; 16]);
        Assessment {
            id: AssessmentId(id),
            person: PersonId(id),
            source: org("trust"),
            source_kind: OrgKind::NhsTrust,
            recorded_by: "worker".to_owned(),
            recorded_at: start(),
            valid_until: start().plus_days(90),
            grade,
            consents: Vec::new(),
            card_item: id,
            answers_item: id,
            emergency_item: id,
            safety_item: None,
            replaces: None,
            ended: None,
            disagreements: Vec::new(),
            shown: Vec::new(),
            relied_on: Vec::new(),
        }
    }

    /// So many of each grade, in the order in which they come.
    fn all(high: u8, medium: u8, standard: u8) -> Vec<Assessment> {
        let grades = [
            (high, Grade::High),
            (medium, Grade::Medium),
            (standard, Grade::Standard),
        ];
        let mut all = Vec::new();
        for (many, grade) in grades {
            for _ in 0..many {
                all.push(one(u8::try_from(all.len()).unwrap(), grade));
            }
        }
        all
    }

    fn chosen_of(all: &[Assessment]) -> Vec<usize> {
        chosen(&all.iter().collect::<Vec<_>>())
    }

    #[test]
    fn all_are_shown_where_one_answer_holds_them() {
        assert_eq!(chosen_of(&all(7, 6, 7)), (0..20).collect::<Vec<_>>());
        assert!(chosen_of(&[]).is_empty());
    }

    #[test]
    fn the_newest_of_each_grade_is_never_left_out() {
        let shown = chosen_of(&all(30, 3, 3));
        assert_eq!(shown.len(), SHOWN_MAX);
        assert!(shown.contains(&0) && shown.contains(&30) && shown.contains(&33));
        let shown = chosen_of(&all(1, 0, 40));
        assert_eq!(shown, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn both_sides_of_a_disagreement_are_never_left_out() {
        let mut all = all(30, 3, 3);
        let with = all[35].id;
        all[29].disagreements.push(Disagreement {
            with,
            because: DisagreementReason::ALL[0],
        });
        let shown = chosen_of(&all);
        assert_eq!(shown.len(), SHOWN_MAX);
        for place in [0, 29, 30, 33, 35] {
            assert!(shown.contains(&place), "{place}");
        }
        assert!(shown.windows(2).all(|two| two[0] < two[1]));
    }
}
