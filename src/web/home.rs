//! The first page of each role, and where its links lead.

use maud::html;

use super::page::Page;
use super::table::{For, Pages};
use super::visit::{Stop, Visit};
use crate::domain::codes::Role;

pub fn pages(pages: Pages) -> Pages {
    pages.get("/", For::SignedIn, home)
}

/// A link: where it leads, and what it says.
pub type Link = (&'static str, &'static str);
const INBOX: Link = ("/inbox", "Inbox");
const NEW: Link = ("/new", "Refer somebody");
const SENT: Link = ("/sent", "Sent");
const ASK: Link = ("/ask", "Ask");
const RECORD: Link = ("/record", "Record");
const CONSENTS: Link = ("/consents", "Her word");
const STOP: Link = ("/stop", "Stop");
const NOTICES: Link = ("/notices", "Notices");
const REQUESTS: Link = ("/subject-access", "Requests");
const MONDAY: Link = ("/monday", "Monday");
const LOG: Link = ("/log-entries", "Log");
const FIGURES: Link = ("/figures", "Figures");
const REPORT: Link = ("/subject-report", "A report for her");
const CHANGES: Link = ("/proposals", "Changes");
const STATE: Link = ("/state", "State");
const SERVICES: Link = ("/services", "Services");
const REMOVE: Link = ("/take-away", "Remove or close");
const EMERGENCY: Link = ("/emergency", "Emergency");
const EMERGENCIES: Link = ("/emergencies", "Follow up");

/// Where a role works, in the order of its day: what it needs often, and what it needs rarely.
pub fn links(role: Role) -> (&'static [Link], &'static [Link]) {
    match role {
        Role::Officer | Role::VcopUnit => (&[NEW, SENT, STOP, NOTICES, REQUESTS], &[]),
        Role::Triage | Role::Adviser | Role::Clinician | Role::SocialWorker | Role::Housing => (
            &[INBOX, NEW, SENT, ASK, RECORD, STOP],
            &[CONSENTS, NOTICES, REQUESTS],
        ),
        Role::EdSenior => (
            &[EMERGENCY, EMERGENCIES, INBOX, ASK, RECORD, STOP],
            &[NEW, SENT, CONSENTS, NOTICES, REQUESTS],
        ),
        Role::LegalAdviser => (&[INBOX, NEW, SENT, STOP], &[CONSENTS, NOTICES, REQUESTS]),
        Role::MaracCoordinator | Role::MaracMember | Role::CourtOfficer => (&[STOP], &[]),
        Role::Analyst => (&[], &[]),
        Role::IgOfficer => (
            &[MONDAY, LOG, FIGURES, REPORT, CHANGES, STATE, STOP, REQUESTS],
            &[],
        ),
        Role::Reviewer => (&[MONDAY, LOG, FIGURES, REPORT, CHANGES], &[]),
        Role::OperatorAdmin => (&[CHANGES, REMOVE, STATE], &[]),
        Role::OrgAdmin => (&[CHANGES, REMOVE, STATE, SERVICES, STOP], &[]),
        Role::Caldicott => (&[MONDAY, REPORT, STOP, REQUESTS], &[]),
        Role::Dpo => (&[REPORT, STOP, REQUESTS], &[]),
    }
}

/// Where she comes after her first sign-in, if she has one device only.
pub const ONE_DEVICE: &str = "/?devices=one";

async fn home(visit: Visit) -> Result<Page, Stop> {
    let (often, rarely) = links(visit.role());
    let body = html! {
        h1 { "Messages" }
        @if visit.query().get("devices") == "one" {
            div.notice {
                p {
                    "You sign in with one device. So that you can still get in if it is lost or broken, "
                    a href="/devices" { "add a spare" } "."
                }
            }
        }
        @if often.is_empty() { p { "There is nothing to do in this role here." } }
        ul.places {
            @for (path, label) in often.iter().chain(rarely) { li { a href=(path) { (label) } } }
        }
    };
    Ok(Page::new("Messages", body))
}
