//! The Consent of a referral: which of four things the sender says she agreed to.
//!
//! What narrows a consent and is not understood never widens it: such a consent serves for nothing.

use crate::domain::time::When;

use super::bundle::{Bundle, Entry, codes_of, reference_of};
use super::moment;
use super::problem::{Kind, Problem};
use super::shape::{CONSENT, Fields, LeftBehind, PERIOD, PROVISION};
use super::tree::Node;

/// What the sender recorded. Ordered from what serves most to what serves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsentCode {
    /// She said yes.
    OptIn,
    /// Assumed for direct care: it serves between health bodies only.
    Implied,
    /// The message has no Consent.
    Missing,
    /// Not in force, restricted in a way that is not understood, or another code.
    Other,
    /// She said no.
    OptOut,
}

/// The consent of a referral. If the message holds several, the one that serves least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent {
    pub code: ConsentCode,
    /// The element that a refusal should name.
    pub element: &'static str,
    /// From when and until when it is said to hold.
    pub from: Option<When>,
    pub until: Option<When>,
}

const POLICY_RULE: &str = "Consent.policyRule";
const PROVISION_ELEMENT: &str = "Consent.provision";

impl Consent {
    const fn of(code: ConsentCode, element: &'static str) -> Self {
        Self {
            code,
            element,
            from: None,
            until: None,
        }
    }

    /// The refusal when it does not serve for the service that the message is for.
    pub fn needed(&self) -> Problem {
        Problem::new(
            Kind::ConsentNeeded,
            self.element,
            "consent-needed: for this service you must record her explicit consent (OPTIN), or \
             record that she declined",
        )
    }
}

pub(super) fn read(
    bundle: &Bundle<'_>,
    patient: &Entry<'_>,
    left: &mut LeftBehind,
) -> Result<Consent, Problem> {
    let mut worst: Option<Consent> = None;
    for entry in bundle.of_kind("Consent") {
        let Some(consent) = one(bundle, patient, entry.resource, left)? else {
            left.add("Consent");
            continue;
        };
        if worst.is_none_or(|known| consent.code > known.code) {
            worst = Some(consent);
        }
    }
    Ok(worst.unwrap_or(Consent::of(ConsentCode::Missing, POLICY_RULE)))
}

/// One consent; nothing if it is that of another person in the message.
fn one(
    bundle: &Bundle<'_>,
    patient: &Entry<'_>,
    node: &Node,
    left: &mut LeftBehind,
) -> Result<Option<Consent>, Problem> {
    let fields = Fields::open(node, "Consent", &CONSENT, left)?;
    let whose = match fields.one("patient") {
        Some(node) => reference_of(node, "Consent.patient", left)?,
        None => None,
    };
    let of = match whose {
        Some(reference) => bundle.find(reference, "Patient")?,
        None => None,
    };
    match of {
        Some(entry) if std::ptr::eq(entry.resource, patient.resource) => {}
        Some(_) => return Ok(None),
        None => return Ok(Some(Consent::of(ConsentCode::Other, "Consent.patient"))),
    }
    let says = "must be a status of consents in FHIR R4, such as active";
    let status = fields.required("status", says, left)?;
    let mut consent = Consent::of(ConsentCode::Other, POLICY_RULE);
    if let Some(node) = fields.one("policyRule") {
        let codes = codes_of(node, POLICY_RULE, left)?;
        let worst = codes
            .iter()
            .map(|(system, code)| code_of(system, code))
            .max();
        consent.code = worst.unwrap_or(ConsentCode::Other);
    }
    if let Some(node) = fields.one("provision") {
        provision(node, &mut consent, left)?;
    }
    // A refusal stays one, whatever its status.
    if status != "active" && consent.code != ConsentCode::OptOut {
        consent = Consent::of(ConsentCode::Other, "Consent.status");
    }
    Ok(Some(consent))
}

/// HL7 v3 ActCode, as BaRS uses it.
pub(super) fn code_of(system: &str, code: &str) -> ConsentCode {
    let known = system.is_empty() || system.ends_with("ActCode");
    match code {
        "OPTIN" if known => ConsentCode::OptIn,
        // With or without an opportunity to dissent.
        "IMPLIED" | "IMPLIEDD" if known => ConsentCode::Implied,
        "OPTOUT" | "OPTOUTE" => ConsentCode::OptOut,
        _ => ConsentCode::Other,
    }
}

fn provision(node: &Node, consent: &mut Consent, left: &mut LeftBehind) -> Result<(), Problem> {
    let fields = Fields::open(node, PROVISION_ELEMENT, &PROVISION, left)?;
    match fields.text("type", left)? {
        Some("deny") => *consent = Consent::of(ConsentCode::OptOut, "Consent.provision.type"),
        Some("permit") | None => {}
        Some(_) => {
            let says = "must be permit or deny";
            return Err(Problem::new(Kind::Value, fields.path_of("type"), says));
        }
    }
    if let Some(node) = fields.one("period") {
        let path = fields.path_of("period");
        let period = Fields::open(node, path.as_str(), &PERIOD, left)?;
        consent.from = moment::first(&period, "start", left)?;
        consent.until = moment::last(&period, "end", left)?;
    }
    let narrowed = [
        "action",
        "actor",
        "class",
        "code",
        "data",
        "dataPeriod",
        "provision",
        "purpose",
        "securityLabel",
    ]
    .iter()
    .any(|name| fields.one(name).is_some());
    if narrowed && consent.code < ConsentCode::Other {
        *consent = Consent::of(ConsentCode::Other, PROVISION_ELEMENT);
    }
    Ok(())
}
