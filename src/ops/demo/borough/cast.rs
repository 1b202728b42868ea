//! Who is in the borough: organisations, their teams, and everyone who calls the gateway.

use super::CHARITY;
use crate::domain::codes::{OrgKind, Role, Taint};
use crate::ops::demo::people::DUTY_LINE;

/// One who calls the gateway: a system, or a person with a second factor.
pub struct Desk {
    /// The name of its bundle.
    pub bundle: &'static str,
    pub organisation: &'static str,
    pub team: &'static str,
    /// A person's certificate names her.
    pub person: Option<&'static str>,
    /// The user whom a system names unless told otherwise, and in which role.
    pub usual: (&'static str, Role),
    pub roles: &'static [Role],
}

/// Everyone who calls.
pub const DESKS: [Desk; 17] = [
    Desk::system(
        "met",
        "met",
        "response",
        ("pc-ward", Role::Officer),
        &[Role::Officer],
    ),
    Desk::person("met-ig", "met", "standards", "s-mwangi", Role::IgOfficer),
    Desk::system(
        "larkfield",
        CHARITY,
        "advice",
        ("r-osei", Role::Adviser),
        &[Role::Triage, Role::Adviser],
    ),
    Desk::person(
        "larkfield-ig",
        CHARITY,
        "trustees",
        "t-novak",
        Role::IgOfficer,
    ),
    Desk::system(
        "harbour",
        "harbour",
        "helpline",
        ("j-pell", Role::Triage),
        &[Role::Triage, Role::Adviser],
    ),
    Desk::system(
        "st-hildas",
        "st-hildas",
        "emergency",
        ("dr-adeyemi", Role::Clinician),
        &[Role::Clinician, Role::EdSenior],
    ),
    Desk::person(
        "st-hildas-ig",
        "st-hildas",
        "governance",
        "h-lindqvist",
        Role::IgOfficer,
    ),
    Desk::person(
        "st-hildas-caldicott",
        "st-hildas",
        "governance",
        "m-farouk",
        Role::Caldicott,
    ),
    Desk::system(
        "council-housing",
        "lowmarsh",
        "housing",
        ("k-brandt", Role::Housing),
        &[Role::Housing],
    ),
    Desk::system(
        "council-nrpf",
        "lowmarsh",
        "families-support",
        ("d-quill", Role::Housing),
        &[Role::Housing],
    ),
    Desk::person(
        "operator",
        "operator",
        "desk",
        "o-bright",
        Role::OperatorAdmin,
    ),
    Desk::person("reviewer", "reviewer", "office", "j-hale", Role::Reviewer),
    // Those who work in a browser.
    Desk::person("met-browser", "met", "response", "pc-lyons", Role::Officer),
    Desk::person(
        "larkfield-browser",
        CHARITY,
        "advice",
        "v-adeola",
        Role::Adviser,
    ),
    Desk::person(
        "larkfield-admin",
        CHARITY,
        "trustees",
        "c-marsh",
        Role::OrgAdmin,
    ),
    Desk::person(
        "st-hildas-browser",
        "st-hildas",
        "emergency",
        "n-castell",
        Role::EdSenior,
    ),
    Desk::system(
        "quayside",
        "quayside",
        "advice",
        ("p-ito", Role::LegalAdviser),
        &[Role::LegalAdviser],
    ),
];

impl Desk {
    const fn system(
        bundle: &'static str,
        organisation: &'static str,
        team: &'static str,
        usual: (&'static str, Role),
        roles: &'static [Role],
    ) -> Self {
        Self {
            bundle,
            organisation,
            team,
            person: None,
            usual,
            roles,
        }
    }

    const fn person(
        bundle: &'static str,
        organisation: &'static str,
        team: &'static str,
        person: &'static str,
        role: Role,
    ) -> Self {
        Self {
            bundle,
            organisation,
            team,
            person: Some(person),
            usual: (person, role),
            roles: &[],
        }
    }

    /// The roles that its certificate may use.
    pub fn roles(&self) -> Vec<Role> {
        match self.person {
            Some(_) => vec![self.usual.1],
            None => self.roles.to_vec(),
        }
    }
}

/// An organisation, and its teams with what is attested of each.
pub struct Body {
    pub id: &'static str,
    pub name: &'static str,
    pub kind: OrgKind,
    pub teams: &'static [(&'static str, &'static str, Taint)],
    pub duty_line: Option<&'static str>,
}

/// Those that are there from the beginning.
pub const BODIES: [Body; 7] = [
    Body {
        id: "operator",
        name: "The borough's gateway",
        kind: OrgKind::Operator,
        teams: &[("desk", "Operator's desk", Taint::None)],
        duty_line: None,
    },
    Body {
        id: "met",
        name: "Metropolitan Police",
        kind: OrgKind::Police,
        teams: &[
            ("response", "Response team", Taint::None),
            ("standards", "Information governance", Taint::None),
        ],
        duty_line: None,
    },
    Body {
        id: CHARITY,
        name: "Larkfield",
        kind: OrgKind::ByAndFor,
        teams: &[
            ("advice", "Advice", Taint::None),
            ("trustees", "Trustees", Taint::None),
        ],
        duty_line: Some(DUTY_LINE),
    },
    Body {
        id: "harbour",
        name: "Harbour Advocacy",
        kind: OrgKind::VoluntaryGeneric,
        teams: &[("helpline", "Helpline", Taint::None)],
        duty_line: None,
    },
    Body {
        id: "st-hildas",
        name: "St Hilda's Hospital",
        kind: OrgKind::NhsTrust,
        teams: &[
            ("emergency", "Emergency department", Taint::None),
            ("governance", "Information governance", Taint::None),
        ],
        duty_line: None,
    },
    Body {
        id: "lowmarsh",
        name: "Lowmarsh Council",
        kind: OrgKind::LocalAuthority,
        teams: &[
            ("housing", "Housing", Taint::None),
            (
                "families-support",
                "Families support",
                Taint::UsesNrpfConnect,
            ),
        ],
        duty_line: None,
    },
    Body {
        id: "reviewer",
        name: "Independent reviewer",
        kind: OrgKind::Reviewer,
        teams: &[("office", "Office", Taint::None)],
        duty_line: None,
    },
];
