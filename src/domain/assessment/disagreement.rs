//! What is said where services graded her differently (`domain.md` 3.2): never the latest alone,
//! never an average. A lower grade that came later does not take the place of a higher one.

use super::Card;
use crate::domain::codes::{Grade, GradeBasis, OrgKind};
use crate::domain::id::OrgId;
use crate::domain::time::When;

/// One grade that stands, as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graded {
    pub source: OrgId,
    pub grade: Grade,
    pub assessed_at: When,
    /// What its card calls a specialist service graded, or a specialist reviewed it.
    pub is_specialist: bool,
}

impl Graded {
    pub fn of(source: &OrgId, card: &Card) -> Self {
        // The kind that a card shows, and no narrower one: the banner must not tell a rape crisis
        // centre of a hospital from a refuge (F7).
        let specialist = match card.assessor_kind {
            OrgKind::VoluntaryGeneric
            | OrgKind::VoluntarySpecialist
            | OrgKind::ByAndFor
            | OrgKind::Refuge => true,
            OrgKind::Police
            | OrgKind::NhsTrust
            | OrgKind::NhsGp
            | OrgKind::Sarc
            | OrgKind::Icb
            | OrgKind::LocalAuthority
            | OrgKind::Court
            | OrgKind::Cafcass
            | OrgKind::Cps
            | OrgKind::Wcu
            | OrgKind::Probation
            | OrgKind::LegalAdviser
            | OrgKind::Commissioner
            | OrgKind::Operator
            | OrgKind::Reviewer => false,
        };
        Self {
            source: source.clone(),
            grade: card.grade,
            assessed_at: card.assessed_at,
            is_specialist: specialist || card.basis == GradeBasis::SpecialistReview,
        }
    }

    /// The order in which they are shown: the highest grade first, of one grade the newest.
    pub fn rank(&self) -> (std::cmp::Reverse<Grade>, std::cmp::Reverse<When>) {
        (
            std::cmp::Reverse(self.grade),
            std::cmp::Reverse(self.assessed_at),
        )
    }
}

/// The sentence above the cards; `None` if all grades are one.
pub fn banner(graded: &[Graded]) -> Option<String> {
    let highest = graded.iter().min_by_key(|one| one.rank())?;
    if graded.iter().all(|one| one.grade == highest.grade) {
        return None;
    }
    let mut sources: Vec<&OrgId> = graded.iter().map(|one| &one.source).collect();
    sources.sort_unstable();
    sources.dedup();
    let who = match sources.len() {
        0 | 1 => "One service graded differently at different times.",
        2 => "Two services graded differently.",
        _ => "Several services graded differently.",
    };
    let specialist = if highest.is_specialist {
        "specialist "
    } else {
        ""
    };
    let is_latest = graded
        .iter()
        .all(|one| one.assessed_at <= highest.assessed_at);
    let grade = highest.grade.code();
    let which = match (is_latest, graded.len()) {
        (true, 2) => format!("The later {specialist}grade is {grade}."),
        (true, _) => format!("The latest {specialist}grade is {grade}."),
        (false, _) => format!(
            "The highest {specialist}grade is {grade}; a lower one that came later does not \
             replace it."
        ),
    };
    Some(format!("{who} {which}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::journey::trial::{org, start};

    fn graded(source: &str, grade: Grade, day: i64, is_specialist: bool) -> Graded {
        Graded {
            source: org(source),
            grade,
            assessed_at: start().plus_days(day),
            is_specialist,
        }
    }

    #[test]
    fn a_later_specialist_grade_is_named() {
        let two = [
            graded("trust", Grade::Medium, 0, false),
            graded("lantern", Grade::High, 1, true),
        ];
        assert_eq!(
            banner(&two).unwrap(),
            "Two services graded differently. The later specialist grade is high."
        );
    }

    #[test]
    fn a_lower_grade_that_came_later_never_wins() {
        let two = [
            graded("lantern", Grade::High, 0, true),
            graded("trust", Grade::Standard, 1, false),
        ];
        assert_eq!(
            banner(&two).unwrap(),
            "Two services graded differently. The highest specialist grade is high; a lower one \
             that came later does not replace it."
        );
        let mut order = two.to_vec();
        order.reverse();
        order.sort_by_key(Graded::rank);
        assert_eq!(order[0].grade, Grade::High);
    }

    #[test]
    fn one_service_several_services_and_agreement_are_told_apart() {
        let of = |list: &[(&str, Grade)]| {
            let list: Vec<Graded> = (0..)
                .zip(list)
                .map(|(day, (source, grade))| graded(source, *grade, day, false))
                .collect();
            banner(&list)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("a1", Grade::High), ("b1", Grade::High)]), None);
        let once = of(&[("a1", Grade::Medium), ("a1", Grade::High)]).unwrap();
        assert!(once.starts_with("One service"), "{once}");
        let three = [
            ("a1", Grade::Medium),
            ("b1", Grade::Standard),
            ("c1", Grade::High),
        ];
        let three = of(&three).unwrap();
        assert_eq!(
            three,
            "Several services graded differently. The latest grade is high."
        );
    }
}
