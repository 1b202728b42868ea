//! The report is made and handed over, by another person than the one who took the request, in
//! person. Only now, and only in it, is it said who holds something.
//!
//! Each organisation's part, its own entries of the log too, opens by its own reply: nobody opens
//! what others hold alone (P11). If one of them asked her and it was not she, or if who asked may be
//! the other party, there is nothing to show, in the same words as where nothing is held.

use crate::domain::answer::{Answer, Release, parts};
use crate::domain::attempt::Attempt;
use crate::domain::audit::{Filter, Reading, Viewer};
use crate::domain::codes::{
    AccessState, AccessStep, DataClass, Delivery, HandedTo, OrgKind, Requester,
};
use crate::domain::decision::{Decision, PartRef};
use crate::domain::firewall::hold::Unread;
use crate::domain::firewall::screen;
use crate::domain::id::{Id, OrgId};
use crate::domain::journey::reporting::ListedEntry;
use crate::domain::known::Known;
use crate::domain::policy::{Ask, Relationship};
use crate::domain::refusal::Refusal;
use crate::domain::report::{Assembled, Commission, Held, PartAnswer, Terms, hers};
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::subject_access::{AccessAsk, DELIVERED_MAX, Ended, SubjectAccess};
use crate::domain::time::When;
use crate::domain::watch::RuleCode;

use super::super::{ACCEPTED, Stop, mark, permit};
use super::{erasing, explain, is_open_to, may, may_be_given, own_request, save, settle, wrong};

/// How it is handed over.
pub struct Delivering {
    /// As she said when she asked, if absent.
    pub how: Option<Delivery>,
    /// She said again, alone, that post is safe there.
    pub post_is_safe: bool,
    /// You saw, in person, that it is she, or spoke to her solicitor whom you know.
    pub identity_checked: bool,
    /// Why it is late.
    pub explanation: Option<Unread>,
}

/// What is looked at for it.
pub struct Looked<'a> {
    /// Entries listed under her tokens, the newest first.
    pub listed: &'a [ListedEntry],
    /// None was left out for number.
    pub whole: bool,
}

/// Hands the report of the request known outside as `alias` over.
pub fn deliver(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    (delivering, looked): (&Delivering, &Looked<'_>),
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide(&mut ruling, known, alias, delivering, looked) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    alias: Id,
    delivering: &Delivering,
    looked: &Looked<'_>,
) -> Result<Answer, Stop> {
    let mut ask = may(ruling, known)?;
    let request = own_request(ruling, known, alias).ok_or(Stop::Nothing("no such request"))?;
    ruling.looks_up(&request.tokens);
    let how = ready(ruling, request, delivering)?;
    if request.delivered() >= DELIVERED_MAX {
        return Err(Stop::Refuse(Refusal::AlreadyAnswered));
    }
    ruling.reason(how.code());
    // From here on all is the same whatever is held: it is answered.
    ask.relationship = Relationship::AcceptedFromAnother;
    let now = ruling.attempt().when;
    let late = request.is_overdue(&ruling.rules().clock, now);
    let mut done = request.clone();
    let explained = if late {
        ruling.note(RuleCode::AccessLate.code());
        ruling.finds(RuleCode::AccessLate);
        let why = delivering.explanation.as_ref();
        explain(ruling, ask.clone(), &mut done, why, true)?
    } else {
        None
    };
    if !matches!(request.ended, Some(Ended::Delivered(_))) {
        done.ended = Some(Ended::Delivered(now));
        settle(ruling, &done.taken_by, done.id);
        erasing::put_down(ruling, done.id);
    }
    done.stepped(now, ruling.attempt().user.as_str(), AccessStep::Delivered);
    save(ruling, &done);
    if !may_be_given(known, request) {
        return Err(Stop::Nothing("the-other-party-may-be-asking"));
    }
    let mut asks = asks(known, request);
    if asks.iter().any(|one| one.is_disputed()) {
        return Err(Stop::Nothing("she-did-not-ask"));
    }
    let open_until = request.answers_by().filter(|by| now < *by);
    if open_until.is_some() {
        asks.retain(|one| one.has_answered());
    }
    let about: Vec<&ListedEntry> = looked
        .listed
        .iter()
        // A parent is not told who did what about the child: another parent may have been there too.
        .filter(|_| request.intake.requester != Requester::ParentGuardian)
        .filter(|entry| hers(known, &request.tokens, &entry.kinds))
        .collect();
    // An entry of one who had no time to answer must not show either that there is one.
    if asks.is_empty() && (open_until.is_some() || about.iter().all(|entry| entry.reading)) {
        return Err(Stop::Nothing("nothing-held"));
    }
    open(
        ruling,
        known,
        (&done, how, open_until),
        ask,
        (&asks, explained),
        (&about, looked.whole),
    )
}

/// Whether it can be handed over, and how: by the caller's own steps and the time alone.
fn ready(
    ruling: &Ruling<'_>,
    request: &SubjectAccess,
    delivering: &Delivering,
) -> Result<Delivery, Stop> {
    let attempt = ruling.attempt();
    if request.taker == attempt.user.as_str() {
        return Err(wrong(
            "id",
            "another person than the one who took the request hands the report over",
        ));
    }
    match request.state(&ruling.rules().clock, attempt.when) {
        AccessState::Ready | AccessState::Delivered if request.keeps_words(attempt.when) => {}
        AccessState::Ready | AccessState::Delivered => {
            return Err(wrong(
                "id",
                "what was written for it was erased 90 days after it was handed over: if she asks \
                 again, take a new request",
            ));
        }
        AccessState::Refused => return Err(Stop::Refuse(Refusal::AlreadyAnswered)),
        AccessState::WaitingForIdentity => return Err(Stop::Nothing("identity-not-proved")),
        AccessState::Asked
        | AccessState::InHand
        | AccessState::RepliesIn
        | AccessState::Redaction => {
            return Err(wrong(
                "id",
                "it is not ready yet: the request says from which day it can be handed over",
            ));
        }
    }
    if !delivering.identity_checked {
        return Err(Stop::Nothing("identity-not-checked"));
    }
    let how = delivering.how.unwrap_or(request.intake.delivery);
    let safe = request.intake.post_is_safe || delivering.post_is_safe;
    if how == Delivery::Posted && !safe {
        return Err(wrong(
            "post_is_safe",
            "never post it home, unless she said herself, alone, that post is safe there",
        ));
    }
    if how == Delivery::ToSolicitor && request.intake.requester != Requester::Solicitor {
        return Err(wrong("how", "only her solicitor who asked can be given it"));
    }
    Ok(how)
}

fn asks<'a>(known: &'a Known, request: &SubjectAccess) -> Vec<&'a AccessAsk> {
    let ids = request.asked.iter();
    let ids = ids.map(|holder| AccessAsk::id_of(request.id, holder));
    ids.filter_map(|id| known.access_asks.get(&id)).collect()
}

fn open(
    ruling: &mut Ruling<'_>,
    known: &Known,
    (request, how, open_until): (&SubjectAccess, Delivery, Option<When>),
    ask: Ask,
    (asks, explained): (&[&AccessAsk], Option<PartRef>),
    (about, whole): (&[&ListedEntry], bool),
) -> Result<Answer, Stop> {
    let own = ruling.attempt().organisation().clone();
    let (answered, unanswered): (Vec<&AccessAsk>, Vec<&AccessAsk>) =
        asks.iter().copied().partition(|one| one.has_answered());
    let answered_by: Vec<OrgId> = answered.iter().map(|one| one.holder.clone()).collect();
    let assembled = Assembled {
        received_at: request.clock.received_at,
        answers: answered.iter().map(|one| part(one)).collect(),
        unanswered: unanswered.iter().map(|one| one.holder.clone()).collect(),
        open_until,
        some_not_asked: !request.intake.not_asked.is_empty(),
        explanations: request.explanations.clone(),
    };
    let mut release = parts(known, &assembled.items());
    release.parts.extend(explained);
    let question = Ask {
        classes: vec![DataClass::Ft],
        ..ask
    };
    ruling.asked(&question.classes);
    let permitted = permit::<Release>(ruling, &question, release)?;
    let screened = screen(permitted, ACCEPTED);
    mark(ruling, &screened);
    if !screened.value().parts.is_empty() {
        ruling.disclosed(&[DataClass::Ft]);
    }
    ruling.sources(answered.len());
    for holder in &answered_by {
        ruling.concerns(holder);
    }
    let tokens = &request.tokens;
    // All that is held, cut down to those who have answered for it.
    let viewer = Viewer {
        organisation: own,
        kind: OrgKind::Reviewer,
        tainted: false,
    };
    let mut held = Held::about(known, &viewer, tokens, |record| is_open_to(request, record));
    held.keep(|organisation| answered_by.contains(organisation));
    let commission = Commission {
        reading: Reading {
            indices: about.iter().map(|entry| entry.index).collect(),
            viewer,
            filter: Filter::default(),
        },
        held,
        terms: Terms {
            handed_to: match how {
                Delivery::ToSolicitor => HandedTo::HerSolicitor,
                Delivery::Collected | Delivery::ReadAloud | Delivery::Posted => HandedTo::Herself,
            },
            staff_names: None,
            answered: answered_by,
            identity_checked: true,
        },
        whole,
        assembled: Some(assembled),
    };
    Ok(Answer::AccessReport(Box::new(commission), screened))
}

fn part(one: &AccessAsk) -> PartAnswer {
    let entries = one.reply.iter().flat_map(|reply| &reply.entries);
    let (given, left_out): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.is_given());
    let grounds = left_out.iter().filter_map(|entry| entry.first.withheld);
    let (others, law): (Vec<_>, Vec<_>) = grounds.partition(|ground| ground.is_about_others());
    PartAnswer {
        holder: one.holder.clone(),
        given: given
            .into_iter()
            .map(|entry| (entry.item, entry.about, entry.basis))
            .collect(),
        left_out_for_others: !others.is_empty(),
        left_out_by_law: !law.is_empty(),
    }
}
