//! The firewall's table: recipient row by data class (`domain.md` 3.0.2).
//!
//! Total and constant: a kind without a row, or a class without a cell, does not compile. Nothing
//! here reads configuration, consent or policy, so that no setting can switch it off (P4). A change
//! shows in the snapshot below, which a person reviews.

use crate::domain::codes::{DataClass, OrgKind};

/// A kind of recipient. Several kinds of organisation share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// Voluntary services, by-and-for services, refuges.
    Provider,
    Police,
    /// Trusts, general practice, sexual assault referral centres.
    Nhs,
    Council,
    /// Family court and Cafcass: only by request, in a journey of its own.
    Court,
    LegalAdviser,
    /// Commissioners and boards: tables, never a record.
    Analyst,
    /// The independent reviewer: the log, never a case.
    Reviewer,
    /// Every tainted team, and every kind that is told nothing.
    Closed,
}

impl Row {
    pub const ALL: &'static [Self] = &[
        Self::Provider,
        Self::Police,
        Self::Nhs,
        Self::Council,
        Self::Court,
        Self::LegalAdviser,
        Self::Analyst,
        Self::Reviewer,
        Self::Closed,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Police => "police",
            Self::Nhs => "nhs",
            Self::Council => "council",
            Self::Court => "court",
            Self::LegalAdviser => "legal_adviser",
            Self::Analyst => "analyst",
            Self::Reviewer => "reviewer",
            Self::Closed => "closed",
        }
    }

    /// Whether a counterpart organisation may be named to this reader; else it is "a specialist
    /// service" (F7), because the name of a service can tell her status.
    pub const fn may_name_counterpart(self) -> bool {
        match self {
            Self::Provider | Self::Nhs | Self::Council | Self::LegalAdviser | Self::Reviewer => {
                true
            }
            Self::Police | Self::Court | Self::Analyst | Self::Closed => false,
        }
    }
}

/// What must hold before a recipient is told a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// Nothing opens it.
    Never,
    /// Only what it supplied itself.
    Own,
    /// To the sender of a referral, as its status.
    Status,
    /// From the offer on, and to a sender of this row as its status.
    Offer,
    /// Once it has accepted. In the column `loc` this is safe contact and nothing more: the part
    /// of class LOC holds no address.
    Accepted,
    /// Once it has accepted, and her consent covers it.
    Consented,
    /// Once it has accepted, because it will speak with her (F6).
    Language,
    /// Once it has accepted, if the text screen let it through (F5).
    Screened,
}

impl Cell {
    pub const ALL: &'static [Self] = &[
        Self::Never,
        Self::Own,
        Self::Status,
        Self::Offer,
        Self::Accepted,
        Self::Consented,
        Self::Language,
        Self::Screened,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Own => "own",
            Self::Status => "status",
            Self::Offer => "offer",
            Self::Accepted => "accepted",
            Self::Consented => "consented",
            Self::Language => "language",
            Self::Screened => "screened",
        }
    }
}

/// The row of a recipient team. Taint closes it, whatever the kind (F3, F13).
pub const fn row(kind: OrgKind, tainted: bool) -> Row {
    if tainted {
        return Row::Closed;
    }
    match kind {
        OrgKind::VoluntaryGeneric
        | OrgKind::VoluntarySpecialist
        | OrgKind::ByAndFor
        | OrgKind::Refuge => Row::Provider,
        OrgKind::Police => Row::Police,
        OrgKind::NhsTrust | OrgKind::NhsGp | OrgKind::Sarc => Row::Nhs,
        OrgKind::LocalAuthority => Row::Council,
        OrgKind::Court | OrgKind::Cafcass => Row::Court,
        OrgKind::LegalAdviser => Row::LegalAdviser,
        OrgKind::Icb | OrgKind::Commissioner => Row::Analyst,
        OrgKind::Reviewer => Row::Reviewer,
        OrgKind::Cps | OrgKind::Wcu | OrgKind::Probation | OrgKind::Operator => Row::Closed,
    }
}

/// The cell of a row and a class.
pub const fn cell(row: Row, class: DataClass) -> Cell {
    match class {
        DataClass::Op => match row {
            Row::Provider | Row::Nhs | Row::Council | Row::LegalAdviser => Cell::Offer,
            Row::Police => Cell::Status,
            Row::Reviewer => Cell::Own,
            Row::Court | Row::Analyst | Row::Closed => Cell::Never,
        },
        DataClass::Id => match row {
            Row::Provider | Row::Nhs | Row::Council | Row::LegalAdviser => Cell::Accepted,
            Row::Police => Cell::Own,
            Row::Court | Row::Analyst | Row::Reviewer | Row::Closed => Cell::Never,
        },
        DataClass::Loc => match row {
            Row::Provider | Row::Nhs => Cell::Accepted,
            Row::Council | Row::LegalAdviser => Cell::Consented,
            Row::Police | Row::Court | Row::Analyst | Row::Reviewer | Row::Closed => Cell::Never,
        },
        DataClass::Sp => match row {
            Row::Provider | Row::Nhs | Row::Council | Row::LegalAdviser => Cell::Consented,
            Row::Police | Row::Court | Row::Analyst | Row::Reviewer | Row::Closed => Cell::Never,
        },
        // Immigration data is never, in every row (P4): each row is written out, so that nobody
        // opens one by adding it.
        DataClass::Im => match row {
            Row::Provider
            | Row::Police
            | Row::Nhs
            | Row::Council
            | Row::Court
            | Row::LegalAdviser
            | Row::Analyst
            | Row::Reviewer
            | Row::Closed => Cell::Never,
        },
        DataClass::Ip => match row {
            Row::Provider | Row::Nhs | Row::Council | Row::LegalAdviser => Cell::Language,
            Row::Police => Cell::Own,
            Row::Court | Row::Analyst | Row::Reviewer | Row::Closed => Cell::Never,
        },
        DataClass::Perp => match row {
            Row::Provider => Cell::Accepted,
            Row::Police => Cell::Own,
            Row::Nhs
            | Row::Council
            | Row::Court
            | Row::LegalAdviser
            | Row::Analyst
            | Row::Reviewer
            | Row::Closed => Cell::Never,
        },
        DataClass::Ft => match row {
            Row::Provider | Row::Nhs | Row::Council | Row::LegalAdviser => Cell::Screened,
            Row::Police | Row::Court | Row::Analyst | Row::Reviewer | Row::Closed => Cell::Never,
        },
        DataClass::Met => match row {
            Row::Provider
            | Row::Police
            | Row::Nhs
            | Row::Council
            | Row::Court
            | Row::LegalAdviser
            | Row::Analyst
            | Row::Reviewer => Cell::Own,
            Row::Closed => Cell::Never,
        },
        // The one carrier of immigration information (F4), which the gateway cannot read. Each row
        // is written out here too.
        DataClass::Sealed => match row {
            Row::LegalAdviser => Cell::Accepted,
            Row::Provider
            | Row::Police
            | Row::Nhs
            | Row::Council
            | Row::Court
            | Row::Analyst
            | Row::Reviewer
            | Row::Closed => Cell::Never,
        },
    }
}

// Checked by the compiler, in every build: no row opens immigration data, only the legal adviser's
// opens what was sealed to it, and nothing opens the closed row.
const _: () = {
    let mut rows = Row::ALL;
    while let [row, rest @ ..] = rows {
        assert!(matches!(cell(*row, DataClass::Im), Cell::Never));
        assert!(
            matches!(row, Row::LegalAdviser)
                || matches!(cell(*row, DataClass::Sealed), Cell::Never)
        );
        rows = rest;
    }
    let mut classes = DataClass::ALL;
    while let [class, rest @ ..] = classes {
        assert!(matches!(cell(Row::Closed, *class), Cell::Never));
        classes = rest;
    }
    let mut kinds = OrgKind::ALL;
    while let [kind, rest @ ..] = kinds {
        assert!(matches!(row(*kind, true), Row::Closed));
        kinds = rest;
    }
};

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn the_whole_table() {
        let mut text = format!("{:14}", "");
        for class in DataClass::ALL {
            write!(text, "{:10}", class.code()).unwrap();
        }
        text = text.trim_end().to_owned();
        for row in Row::ALL {
            let mut line = format!("{:14}", row.code());
            for class in DataClass::ALL {
                write!(line, "{:10}", cell(*row, *class).code()).unwrap();
            }
            write!(text, "\n{}", line.trim_end()).unwrap();
        }
        insta::assert_snapshot!(text, @"
                      op        id        loc       sp        im        ip        perp      ft        met       sealed
        provider      offer     accepted  accepted  consented never     language  accepted  screened  own       never
        police        status    own       never     never     never     own       own       never     own       never
        nhs           offer     accepted  accepted  consented never     language  never     screened  own       never
        council       offer     accepted  consented consented never     language  never     screened  own       never
        court         never     never     never     never     never     never     never     never     own       never
        legal_adviser offer     accepted  consented consented never     language  never     screened  own       accepted
        analyst       never     never     never     never     never     never     never     never     own       never
        reviewer      own       never     never     never     never     never     never     never     own       never
        closed        never     never     never     never     never     never     never     never     never     never
        ");
    }

    #[test]
    fn every_kind_has_its_row() {
        let mut text = String::new();
        for row in Row::ALL {
            let kinds: Vec<&str> = OrgKind::ALL
                .iter()
                .filter(|kind| super::row(**kind, false) == *row)
                .map(|kind| kind.code())
                .collect();
            let names = if row.may_name_counterpart() {
                ""
            } else {
                "; counterparts not named"
            };
            writeln!(text, "{}: {}{names}", row.code(), kinds.join(", ")).unwrap();
        }
        insta::assert_snapshot!(text, @"
        provider: voluntary_generic, voluntary_specialist, by_and_for, refuge
        police: police; counterparts not named
        nhs: nhs_trust, nhs_gp, sarc
        council: local_authority
        court: court, cafcass; counterparts not named
        legal_adviser: legal_adviser
        analyst: icb, commissioner; counterparts not named
        reviewer: reviewer
        closed: cps, wcu, probation, operator; counterparts not named
        ");
    }

    #[test]
    fn a_tainted_team_has_only_never_cells() {
        for kind in OrgKind::ALL {
            for class in DataClass::ALL {
                assert_eq!(cell(row(*kind, true), *class), Cell::Never);
            }
        }
    }
}
