//! The rules as text that a person reviews. A change of policy shows here.

use std::fmt::Write;

use super::*;

#[test]
fn who_may_do_what_for_which_purpose() {
    let policies = shipped();
    let mut text = String::new();
    for action in Action::ALL {
        writeln!(text, "{}", action.code()).unwrap();
        let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
        for role in Role::ALL {
            let allowed: Vec<&str> = Purpose::ALL
                .iter()
                .filter(|purpose| policies.permits(&good(*action, home(*role), *role, **purpose)))
                .map(|purpose| purpose.code())
                .collect();
            if allowed.is_empty() {
                continue;
            }
            let purposes = if allowed.len() == Purpose::ALL.len() {
                "any purpose".to_owned()
            } else {
                allowed.join(", ")
            };
            match lines.iter_mut().find(|(known, _)| *known == purposes) {
                Some((_, roles)) => roles.push(role.code()),
                None => lines.push((purposes, vec![role.code()])),
            }
        }
        for (purposes, roles) in lines {
            writeln!(text, "  {}\n    for {purposes}", roles.join(", ")).unwrap();
        }
    }
    insta::assert_snapshot!(text, @"
    offer_referral
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, legal_advice, court_support
      legal_adviser
        for legal_advice, court_support
    read_referral_status
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, legal_advice, court_support
      legal_adviser
        for legal_advice, court_support
    read_inbox
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, court_support
      legal_adviser
        for legal_advice, court_support
    accept_referral
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, court_support
      legal_adviser
        for legal_advice, court_support
    decline_referral
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, court_support
      legal_adviser
        for legal_advice, court_support
    wait_referral
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, court_support
      legal_adviser
        for legal_advice, court_support
    close_referral
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, court_support
      legal_adviser
        for legal_advice, court_support
    read_referral
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, court_support
      legal_adviser
        for legal_advice, court_support
    add_note
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, legal_advice, court_support
      legal_adviser
        for legal_advice, court_support
    update_referral
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, legal_advice, court_support
      legal_adviser
        for legal_advice, court_support
    read_events
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, legal_advice, court_support
      legal_adviser
        for legal_advice, court_support
    screen_text
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, legal_advice, court_support
      legal_adviser
        for legal_advice, court_support
    record_consent
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing, legal_adviser
        for support, safety_planning, onward_referral, prior_assessment, legal_advice, court_support
    withdraw_consent
      officer, vcop_unit, triage, adviser, clinician, ed_senior, social_worker, housing, marac_coordinator, marac_member, court_officer, legal_adviser, ig_officer, caldicott, dpo, org_admin
        for any purpose
    withdraw
      officer, vcop_unit, triage, adviser, clinician, ed_senior, social_worker, housing, marac_coordinator, marac_member, court_officer, legal_adviser, ig_officer, caldicott, dpo, org_admin
        for any purpose
    record_assessment
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning
    query_assessments
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, prior_assessment
    rely_on_assessment
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, prior_assessment
    break_glass
      ed_senior
        for emergency
    read_audit
      reviewer, ig_officer
        for audit
    read_audit_subject
      reviewer, ig_officer
        for audit
    read_audit_queue
      reviewer, ig_officer, caldicott
        for audit
    decide_audit_item
      reviewer, ig_officer, caldicott
        for audit
    propose
      ig_officer, org_admin, operator_admin
        for administration
    approve
      ig_officer, org_admin, operator_admin
        for administration
    narrow
      ig_officer, org_admin, operator_admin
        for administration
    read_proposals
      reviewer
        for audit
      ig_officer, org_admin, operator_admin
        for administration
    second_factor
      reviewer, officer, vcop_unit, triage, adviser, clinician, ed_senior, social_worker, housing, marac_coordinator, marac_member, court_officer, legal_adviser, ig_officer, caldicott, dpo, analyst, org_admin, operator_admin
        for any purpose
    unknown
    reconcile
      ig_officer, org_admin, operator_admin
        for administration
    report_subject
      reviewer, ig_officer, caldicott, dpo
        for audit
    flag_person
      ig_officer
        for audit
    open_seal
      ig_officer
        for audit
    seal_item
      triage, adviser, clinician, social_worker, housing
        for legal_advice
    collect_item
      triage, adviser, clinician, social_worker, housing, legal_adviser
        for legal_advice
    read_links
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning
    confirm_link
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning
    reject_link
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning
    issue_card
      triage, adviser, clinician, social_worker, housing, legal_adviser
        for support, safety_planning, prior_assessment, legal_advice
    settle_withdrawal
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing, legal_adviser
        for support, safety_planning, onward_referral, prior_assessment, legal_advice, court_support
      marac_coordinator, marac_member
        for marac
      court_officer
        for court_support
      ig_officer
        for audit, administration
      caldicott, dpo
        for audit
      org_admin
        for administration
    answer_stop_use
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing, legal_adviser
        for support, safety_planning, onward_referral, prior_assessment, legal_advice, court_support
      marac_coordinator, marac_member
        for marac
      court_officer
        for court_support
      ig_officer
        for audit, administration
      caldicott, dpo
        for audit
      org_admin
        for administration
    read_consents
      triage, adviser, clinician, ed_senior, social_worker, housing, legal_adviser
        for support, safety_planning, prior_assessment, legal_advice
    take_subject_access
      triage, adviser, clinician, ed_senior
        for support, safety_planning, onward_referral, court_support
      ig_officer, caldicott, dpo
        for audit
    read_subject_access
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing, legal_adviser
        for support, safety_planning, onward_referral, legal_advice, court_support
      ig_officer, caldicott, dpo
        for audit
    move_subject_access
      triage, adviser, clinician, ed_senior
        for support, safety_planning, onward_referral, court_support
      ig_officer, caldicott, dpo
        for audit
    reply_subject_access
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing, legal_adviser
        for support, safety_planning, onward_referral, legal_advice, court_support
      ig_officer, caldicott, dpo
        for audit
    redact_subject_access
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing, legal_adviser
        for support, safety_planning, onward_referral, legal_advice, court_support
      ig_officer, caldicott, dpo
        for audit
    deliver_subject_access
      ig_officer, caldicott, dpo
        for audit
    transfer_referral
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral
    withdraw_assessment
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning
    read_own_assessments
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning
    follow_up_emergency
      ed_senior
        for emergency
    read_devices
      reviewer, officer, vcop_unit, triage, adviser, clinician, ed_senior, social_worker, housing, marac_coordinator, marac_member, court_officer, legal_adviser, ig_officer, caldicott, dpo, analyst, org_admin, operator_admin
        for support, safety_planning, onward_referral, prior_assessment, marac, legal_advice, court_support, audit, administration
    add_device
      reviewer, officer, vcop_unit, triage, adviser, clinician, ed_senior, social_worker, housing, marac_coordinator, marac_member, court_officer, legal_adviser, ig_officer, caldicott, dpo, analyst, org_admin, operator_admin
        for support, safety_planning, onward_referral, prior_assessment, marac, legal_advice, court_support, audit, administration
    remove_device
      reviewer, officer, vcop_unit, triage, adviser, clinician, ed_senior, social_worker, housing, marac_coordinator, marac_member, court_officer, legal_adviser, ig_officer, caldicott, dpo, analyst, org_admin, operator_admin
        for support, safety_planning, onward_referral, prior_assessment, marac, legal_advice, court_support, audit, administration
    hand_back_referral
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, court_support
      legal_adviser
        for legal_advice, court_support
    keep_draft
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, legal_advice, court_support
      legal_adviser
        for legal_advice, court_support
    open_draft
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, legal_advice, court_support
      legal_adviser
        for legal_advice, court_support
    erase_draft
      officer, vcop_unit
        for safety_planning, onward_referral, court_support
      triage, adviser, clinician, ed_senior, social_worker, housing
        for support, safety_planning, onward_referral, legal_advice, court_support
      legal_adviser
        for legal_advice, court_support
    read_return
      triage, adviser, clinician
        for support
      org_admin
        for administration
    ");
}

#[test]
fn in_which_kinds_of_body_a_role_does_anything() {
    let policies = shipped();
    let deeds = [
        (Action::OfferReferral, Purpose::OnwardReferral),
        (Action::OfferReferral, Purpose::LegalAdvice),
        (Action::Withdraw, Purpose::Support),
        (Action::ReadAuditQueue, Purpose::Audit),
        (Action::Propose, Purpose::Administration),
    ];
    let mut text = String::new();
    for role in Role::ALL {
        let kinds: Vec<&str> = OrgKind::ALL
            .iter()
            .filter(|kind| {
                deeds.iter().any(|(action, purpose)| {
                    policies.caller_may(&good(*action, **kind, *role, *purpose))
                })
            })
            .map(|kind| kind.code())
            .collect();
        let kinds = if kinds.len() == OrgKind::ALL.len() {
            "every kind".to_owned()
        } else {
            kinds.join(", ")
        };
        writeln!(text, "{}: {kinds}", role.code()).unwrap();
    }
    insta::assert_snapshot!(text, @"
    reviewer: reviewer
    officer: police
    vcop_unit: police, cps, wcu
    triage: nhs_trust, nhs_gp, local_authority, voluntary_generic, voluntary_specialist, by_and_for, refuge, sarc
    adviser: nhs_trust, nhs_gp, local_authority, voluntary_generic, voluntary_specialist, by_and_for, refuge, sarc
    clinician: nhs_trust, nhs_gp, sarc
    ed_senior: nhs_trust, nhs_gp, sarc
    social_worker: nhs_trust, nhs_gp, local_authority, voluntary_generic, voluntary_specialist, by_and_for, refuge, sarc
    housing: nhs_trust, nhs_gp, local_authority, voluntary_generic, voluntary_specialist, by_and_for, refuge, sarc
    marac_coordinator: police, nhs_trust, nhs_gp, icb, local_authority, voluntary_generic, voluntary_specialist, by_and_for, refuge, sarc, court, cafcass, cps, wcu, probation, legal_adviser, commissioner, reviewer
    marac_member: police, nhs_trust, nhs_gp, icb, local_authority, voluntary_generic, voluntary_specialist, by_and_for, refuge, sarc, court, cafcass, cps, wcu, probation, legal_adviser, commissioner, reviewer
    court_officer: court, cafcass
    legal_adviser: legal_adviser
    ig_officer: every kind
    caldicott: nhs_trust, nhs_gp, icb, local_authority, sarc
    dpo: police, nhs_trust, nhs_gp, icb, local_authority, voluntary_generic, voluntary_specialist, by_and_for, refuge, sarc, court, cafcass, cps, wcu, probation, legal_adviser, commissioner, reviewer
    analyst: 
    org_admin: every kind
    operator_admin: operator
    ");
}

#[test]
fn what_is_said_about_the_caller_comes_in_order() {
    let policies = shipped();
    let mut ask = query();
    // Everything is wrong at once; each repair uncovers the next reason.
    ask.certificate_organisation = OrgId::parse("other").unwrap();
    ask.actor.active = false;
    ask.recipient.active = false;
    ask.actor.agreement_in_date = false;
    ask.recipient.agreement_in_date = false;
    ask.actor.second_factor = false;
    ask.actor.role_assertable = false;
    ask.actor.role = Role::Housing;
    ask.purpose = Purpose::Marac;
    ask.relationship = Relationship::None;
    ask.consent = None;
    let repairs: &[fn(&mut Ask)] = &[
        |ask| ask.certificate_organisation = ask.actor.organisation.clone(),
        |ask| {
            ask.actor.active = true;
            ask.recipient.active = true;
        },
        |ask| {
            ask.actor.agreement_in_date = true;
            ask.recipient.agreement_in_date = true;
        },
        |ask| ask.actor.second_factor = true,
        |ask| ask.actor.role_assertable = true,
        |ask| ask.purpose = Purpose::Support,
        |ask| ask.relationship = Relationship::AcceptedFromAnother,
        |ask| ask.consent = Some(LIVE),
    ];
    let mut said = vec![format!("{:?}", why(&policies, &ask))];
    for repair in repairs {
        repair(&mut ask);
        said.push(format!("{:?}", why(&policies, &ask)));
    }
    insta::assert_snapshot!(said.join("\n"), @"
    Some(CertificateNotAccepted)
    Some(OrganisationSuspended)
    Some(AgreementExpired)
    Some(SecondFactorNeeded)
    Some(RoleNotAllowed)
    Some(PurposeNotAllowed)
    Some(NothingToShow)
    Some(NothingToShow)
    None
    ");
}
