//! What a change that lets less through makes of the facts. Permits nothing by itself.

use super::changes::{Changed, attest, directory_fact, known_user, organisation_fact, user_fact};
use crate::domain::codes::Taint;
use crate::domain::governance::Narrowing;
use crate::domain::known::Known;
use crate::domain::organisation::Certificate;
use crate::domain::person::FieldError;
use crate::domain::time::When;

/// The facts after a narrowing.
///
/// # Errors
/// What it names does not exist.
pub fn narrowed(
    narrowing: &Narrowing,
    known: &Known,
    now: When,
    by: &str,
) -> Result<Vec<Changed>, FieldError> {
    let unknown = |field, message| FieldError { field, message };
    let mut organisation = known
        .organisations
        .get(narrowing.organisation())
        .cloned()
        .ok_or(unknown("organisation", "no such organisation is enrolled"))?;
    match narrowing {
        Narrowing::SuspendOrganisation { .. } => {
            if organisation.suspended_at.is_none() {
                organisation.suspended_at = Some(now);
                organisation.suspensions = organisation.suspensions.saturating_add(1);
            }
        }
        Narrowing::RevokeCertificate { spki_sha256, .. } => {
            let found = organisation
                .certificates
                .iter_mut()
                .find(|one| one.spki_sha256 == *spki_sha256)
                .ok_or(unknown(
                    "certificate",
                    "no certificate with this key is listed",
                ))?;
            found.revoked_at.get_or_insert(now);
        }
        Narrowing::TaintTeam { team, taint, .. } => {
            if *taint == Taint::None {
                let message = "lifting a taint is a proposal; here, say why the team is tainted";
                return Err(unknown("taint", message));
            }
            if organisation.team(team).is_none() {
                return Err(unknown("team", "this organisation has no such team"));
            }
            attest(&mut organisation, team, *taint, now, by);
        }
        Narrowing::TaintOrganisation { taint, .. } => {
            if *taint == Taint::None {
                let message =
                    "lifting a taint is a proposal; here, say why nobody there may be told";
                return Err(unknown("taint", message));
            }
            organisation.taint = *taint;
        }
        Narrowing::EndAgreement { agreement, .. } => {
            let found = organisation
                .agreements
                .iter_mut()
                .find(|one| one.id == *agreement)
                .ok_or(unknown(
                    "agreement",
                    "this organisation has no such agreement",
                ))?;
            let earlier = found.ended_at.filter(|end| *end <= now);
            found.ended_at = Some(earlier.unwrap_or(now));
        }
        Narrowing::RemoveUser { user: name, .. } => {
            let mut user = known_user(known, &organisation.id, name, now);
            user.removed_at.get_or_insert(now);
            let hers = |one: &&mut Certificate| one.user.as_ref() == Some(name);
            for certificate in organisation.certificates.iter_mut().filter(hers) {
                certificate.revoked_at.get_or_insert(now);
            }
            let fact = user_fact(&organisation.id.clone(), name, user);
            return Ok(vec![organisation_fact(organisation), fact]);
        }
        Narrowing::CloseService { service, .. } => {
            let mut directory = known.directory.clone();
            let found = directory
                .services
                .iter_mut()
                .find(|one| one.id == *service && one.organisation == organisation.id)
                .ok_or(unknown("service", "this organisation has no such service"))?;
            found.takes_referrals = false;
            return Ok(vec![directory_fact(directory)]);
        }
    }
    Ok(vec![organisation_fact(organisation)])
}
