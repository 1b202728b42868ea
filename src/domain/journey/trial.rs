//! A town to try the journeys in: facts in memory, real rules, real sealing. For tests only.
//!
//! Everything that a decision writes is opened again and becomes a fact of the next one, so that a
//! test goes through the same forms as the gateway does.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::domain::alias::{AliasKey, AliasKind, Aliases};
use crate::domain::answer::Answer;
use crate::domain::assessment::{Answers, Card, Item, SafetyCard};
use crate::domain::attempt::{Attempt, Entropy, RequestDigest, UserName};
use crate::domain::audit::QueueItem;
use crate::domain::clock::CodeClock;
use crate::domain::codes::*;
use crate::domain::consent::{Consent, Opens, Recipients};
use crate::domain::decision::*;
use crate::domain::governance::Approvers;
use crate::domain::id::*;
use crate::domain::instrument::Instruments;
use crate::domain::known::Known;
use crate::domain::notice::{BUILT_IN_NOTICES, Notices};
use crate::domain::opening::{Decided, Why};
use crate::domain::organisation::*;
use crate::domain::other_party::OTHER_PARTY_FIELDS;
use crate::domain::peer::{Peer, SpiffeName};
use crate::domain::person::{
    Beside, Lane, RawBeside, RawFields, RawIdentifier, RawSafeContact, SafeContact, TaggedToken,
    TokenKeys, resolve,
};
use crate::domain::record::{Record, singleton};
use crate::domain::referral::{Operational, UrgencyCode};
use crate::domain::retention::{BUILT_IN_RETENTION, Retention};
use crate::domain::rulebook::Rulebook;
use crate::domain::rules::{DomainKeys, Rules};
use crate::domain::ruling::{BadRuling, Ruled};
use crate::domain::seal::{ItemKey, Keys, Slot};
use crate::domain::time::When;
use crate::domain::watch::Watch;

use super::answering::{self, Response};
use super::assessing::{self, Draft};
use super::offering::{self, Offer, OfferGround};
use super::subject::Subject;
use super::withdrawing::{self, Wish};

/// given, family, birth, NHS number, postcode, telephone
pub type Names<'a> = [&'a str; 6];

pub const AMINA: Names<'static> = [
    "Amina",
    "Khan",
    "1990-05-02",
    "9990000018",
    "E8 1DY",
    "07700 900123",
];
pub const BEATA: Names<'static> = [
    "Beata",
    "Nowak",
    "1988-01-30",
    "9990000026",
    "N1 9GU",
    "07700 900456",
];

impl Rules {
    /// The rules as shipped, under keys that everyone knows.
    pub fn for_tests() -> &'static Self {
        static RULES: OnceLock<Rules> = OnceLock::new();
        RULES.get_or_init(|| Self::of(Rulebook::built_in().unwrap()))
    }

    /// The names of an organisation that was never suspended, on the day of the trials.
    pub fn aliases_of(&self, organisation: &OrgId) -> Aliases {
        self.alias_key.of(organisation, 0, start())
    }

    /// The same under another rulebook.
    pub fn of(book: Rulebook) -> Self {
        Self {
            book: Arc::new(book),
            stands_in: None,
            clock: CodeClock::parse(
                include_str!("../../../policies/clock/vcop2021.toml"),
                include_str!("../../../policies/clock/bank-holidays-england-and-wales.toml"),
            )
            .unwrap()
            .into(),
            watch: Watch::parse(include_str!("../../../policies/watch/rules.toml"))
                .unwrap()
                .into(),
            retention: Retention::parse(BUILT_IN_RETENTION).unwrap().into(),
            notices: Notices::parse(BUILT_IN_NOTICES).unwrap().into(),
            instruments: Instruments::built_in().unwrap().into(),
            tokens: TokenKeys::derive(&[1; 32]).into(),
            alias_key: AliasKey::new([2; 32]).into(),
            keys: DomainKeys {
                log_subject: [3; 32],
                replay: [4; 32],
                external: [5; 32],
                session: [6; 32],
                counterfoil: [7; 32],
                trail: [8; 32],
                forms: [9; 32],
            }
            .into(),
        }
    }
}

pub fn start() -> When {
    When::parse("2026-04-10T12:00:00Z").unwrap()
}

pub fn org(name: &str) -> OrgId {
    OrgId::parse(name).unwrap()
}

fn team() -> TeamId {
    TeamId::parse("team").unwrap()
}

fn role(organisation: &str, action: Action) -> Role {
    match (organisation, action) {
        (_, Action::BreakGlass | Action::FollowUpEmergency) => Role::EdSenior,
        ("met", _) => Role::Officer,
        ("trust" | "practice", _) => Role::Clinician,
        ("council", _) => Role::Housing,
        _ => Role::Adviser,
    }
}

fn purpose(action: Action) -> Purpose {
    match action {
        Action::OfferReferral => Purpose::OnwardReferral,
        Action::QueryAssessments | Action::RelyOnAssessment => Purpose::PriorAssessment,
        Action::BreakGlass | Action::FollowUpEmergency => Purpose::Emergency,
        _ => Purpose::Support,
    }
}

/// A worker of an organisation, at a good moment, in her usual role.
pub fn attempt(organisation: &str, action: Action) -> Attempt {
    let name = SpiffeName {
        organisation: org(organisation),
        team: team(),
        user: None,
    };
    Attempt {
        peer: Peer::for_tests(name, [9; 32]),
        user: UserName::parse("worker").unwrap(),
        role: role(organisation, action),
        asserted: true,
        second_factor: false,
        action,
        purpose: purpose(action),
        when: start(),
        entropy: Entropy::new([0; 32]),
        request: RequestDigest([0; 32]),
        idempotency: None,
        check_only: false,
    }
}

pub fn identity(names: Names<'_>) -> RawIdentifier {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let [given, family, birth, nhs, postcode, phone] = names.map(some);
    let mut fields = RawFields::default();
    fields.given_name = given;
    fields.family_name = family;
    fields.birth_date = birth;
    fields.nhs_number = nhs;
    fields.postcode = postcode;
    fields.phone = phone.into_iter().collect();
    RawIdentifier::new(fields)
}

/// Somebody beside her, in each of `lanes`.
pub fn beside(lanes: &[Lane], given: &str, family: &str, birth: &str) -> Vec<Beside> {
    let mut raw = RawBeside::default();
    raw.given_name = Some(given.to_owned());
    raw.family_name = Some(family.to_owned());
    raw.birth_date = Some(birth.to_owned());
    let rules = Rules::for_tests();
    let today = rules.clock.date(start()).unwrap();
    let made = raw.resolve(lanes, &OTHER_PARTY_FIELDS, &rules.tokens, today);
    made.ok().unwrap()
}

pub fn tokens(names: Names<'_>) -> Vec<TaggedToken> {
    let rules = Rules::for_tests();
    let today = rules.clock.date(start()).unwrap();
    let (person, _) = resolve(identity(names), &rules.tokens, today).ok().unwrap();
    person.tokens().to_vec()
}

pub fn consent(opens: Opens, to: &[&str]) -> Consent {
    Consent {
        id: ConsentId(Id::ZERO),
        recorded_by: org("nobody"),
        decision: ConsentDecision::Permit,
        strength: ConsentStrength::Explicit,
        opens,
        recipients: Recipients {
            organisations: to.iter().map(|name| org(name)).collect(),
            families: Vec::new(),
        },
        classes: vec![DataClass::Op, DataClass::Sp],
        purposes: vec![Purpose::PriorAssessment],
        items: Vec::new(),
        depth: Some(ConsentDepth::Answers),
        given_by: GivenBy::Herself,
        competence: Competence::Adult,
        parent: None,
        how: ConsentHow::Spoken,
        language: None,
        interpreter: Interpreter::None,
        other_party_present: YesNoUnknown::No,
        notice_version: None,
        given_at: start(),
        from: start(),
        until: start().plus_days(365),
        review_at: None,
        paused: false,
        withdrawn_at: None,
    }
}

/// A high risk, judged, with who is safe; shared with `to`.
pub fn draft(at: When, to: &[&str]) -> Draft {
    let item = |code: &str, answer| Item {
        code: code.to_owned(),
        answer,
    };
    let mut share = consent(Opens::Share, to);
    share.given_at = at;
    Draft {
        card: Card {
            instrument: Instrument::SafelivesDash24,
            instrument_version: "2014".to_owned(),
            ticks: None,
            grade: Grade::High,
            basis: GradeBasis::ProfessionalJudgement,
            judgement_codes: vec![JudgementReason::ThreatsToKill],
            judgement_reasons: vec!["threats are escalating".to_owned()],
            assessor_role: Role::Adviser,
            assessor_kind: OrgKind::VoluntaryGeneric,
            assessor_trained: true,
            assessed_at: at,
            needs: vec![Need::HousingSafe],
            adjustments: vec!["speak slowly".to_owned()],
        },
        answers: Answers {
            items: vec![
                item("q1", ItemAnswer::Yes),
                item("q2", ItemAnswer::Yes),
                item("q3", ItemAnswer::Declined),
            ],
        },
        safety: SafetyCard {
            do_not_tell: vec!["her brother".to_owned()],
            safe_person: Some("her sister".to_owned()),
            safe_person_phone: Some("+447700900789".to_owned()),
        },
        valid_until: None,
        consents: if to.is_empty() {
            Vec::new()
        } else {
            vec![share]
        },
        replaces: None,
        disagreements: Vec::new(),
    }
}

/// What a decision came to.
pub struct Done {
    pub answer: Answer,
    pub decided: Decided,
    pub why: Why,
    /// A counter was full, and nothing was written.
    pub limited: bool,
    /// What the caller keeps of a withdrawal.
    pub kept: Option<Vec<u8>>,
    /// What it put into lists, with its place there.
    pub listed: Vec<(List, u64, Id)>,
}

impl Done {
    pub fn noted(&self, code: &str) -> bool {
        self.decided.notes.iter().any(|note| note == code)
    }
}

/// Facts, parts, counters and queues.
pub struct Town {
    pub now: When,
    pub rules: &'static Rules,
    facts: BTreeMap<(Aggregate, Id), Vec<u8>>,
    parts: Vec<(PartRef, Vec<u8>)>,
    counters: Vec<(Counter, u32)>,
    made: u32,
}

impl Town {
    /// Police, a hospital, a practice, two services and a council, all in good order.
    pub fn in_order() -> Self {
        let mut town = Self {
            now: start(),
            rules: Rules::for_tests(),
            facts: BTreeMap::new(),
            parts: Vec::new(),
            counters: Vec::new(),
            made: 0,
        };
        for (name, kind) in [
            ("met", OrgKind::Police),
            ("trust", OrgKind::NhsTrust),
            ("practice", OrgKind::NhsGp),
            ("lantern", OrgKind::VoluntarySpecialist),
            ("harbour", OrgKind::Refuge),
            ("council", OrgKind::LocalAuthority),
        ] {
            town.enrol(organisation(name, kind));
        }
        let services = ["lantern", "harbour", "council", "practice"].map(|name| Service {
            id: ServiceId::parse(name).unwrap(),
            organisation: org(name),
            team: team(),
            public_name: name.to_owned(),
            family: if name == "harbour" {
                ServiceFamily::Accommodation
            } else {
                ServiceFamily::Community
            },
            area: None,
            takes_referrals: true,
            dos_service_id: None,
            meets: None,
        });
        let directory = Directory {
            services: services.to_vec(),
        };
        let settings = Aggregate::Settings;
        town.put(
            settings.clone(),
            singleton("directory"),
            &Record::Directory(directory),
        );
        let approvers = Approvers {
            first: Vec::new(),
            reviewers: vec![org("reviewer")],
        };
        town.put(
            settings,
            singleton("approvers"),
            &Record::Approvers(approvers),
        );
        town
    }

    pub fn put(&mut self, of: Aggregate, item: Id, record: &Record) {
        self.facts.insert((of, item), record.to_bytes());
    }

    pub fn enrol(&mut self, organisation: Organisation) {
        let (of, item, member) = super::governing::member_fact(&organisation.id);
        self.put(of, item, &member);
        let of = Aggregate::Organisation(organisation.id.clone());
        self.put(
            of,
            singleton("organisation"),
            &Record::Organisation(organisation),
        );
    }

    /// The team of an organisation hosts Home Office staff from now on.
    pub fn taint(&mut self, name: &str) {
        let mut tainted = self.known().organisations[&org(name)].clone();
        for team in &mut tainted.teams {
            if let Some(attestation) = &mut team.attestation {
                attestation.taint = Taint::HostsHomeOffice;
            }
        }
        self.enrol(tainted);
    }

    /// The teams of an organisation attest anew what they attested, as they must every ninety days.
    pub fn attest(&mut self, name: &str) {
        let mut attesting = self.known().organisations[&org(name)].clone();
        for team in &mut attesting.teams {
            if let Some(attestation) = &mut team.attestation {
                attestation.at = self.now;
            }
        }
        self.enrol(attesting);
    }

    /// The organisation says so as a whole; what its teams attested stands.
    pub fn taint_whole(&mut self, name: &str) {
        let mut tainted = self.known().organisations[&org(name)].clone();
        tainted.taint = Taint::HostsHomeOffice;
        self.enrol(tainted);
    }

    /// Puts a part of every class under each item that there is, as no journey would.
    pub fn spoil(&mut self, word: impl Fn(DataClass) -> String) {
        let items: Vec<PartRef> = self.parts.iter().map(|(part, _)| part.clone()).collect();
        self.parts.clear();
        for part in items {
            for class in DataClass::ALL {
                let part = PartRef {
                    class: *class,
                    ..part.clone()
                };
                self.parts.push((part, word(*class).into_bytes()));
            }
        }
    }

    /// All that there is; more than a gateway would read for one decision.
    pub fn known(&self) -> Known {
        let mut known = Known::default();
        let facts = self.facts.iter().map(|((of, item), bytes)| Fact {
            of: of.clone(),
            item: *item,
            bytes: bytes.clone().into(),
        });
        known
            .add(Facts {
                read: Vec::new(),
                facts: facts.collect(),
                parts: self.parts.iter().map(|(part, _)| part.clone()).collect(),
            })
            .unwrap();
        known.counted.clone_from(&self.counters);
        known.stand_at(self.now);
        known
    }

    pub fn run(
        &mut self,
        mut attempt: Attempt,
        decide: impl FnOnce(&Rules, &Attempt, &Known, Keys) -> Result<Decision<Ruled>, BadRuling>,
    ) -> Done {
        self.made += 1;
        attempt.when = self.now;
        let mut entropy = [0; 32];
        entropy[..4].copy_from_slice(&self.made.to_be_bytes());
        attempt.entropy = Entropy::new(entropy);
        let keys = (1..=96).map(|slot| key(Slot(slot))).collect();
        let keys = Keys::new(keys, attempt.entropy.branch("nonces"));
        let decision = decide(self.rules, &attempt, &self.known(), keys);
        let (ruled, draft) = decision.unwrap().split();
        let limited = !self.count(&draft.writes);
        let listed = draft.writes.iter().filter_map(|write| {
            let Write::List { list, at, item } = write else {
                return None;
            };
            Some((list.clone(), *at, *item))
        });
        let listed = listed.collect();
        if !limited {
            for write in draft.writes {
                self.apply(write);
            }
        }
        Done {
            answer: ruled.answer,
            decided: ruled.opening.decided,
            why: ruled.opening.why,
            limited,
            kept: ruled.counterfoil,
            listed,
        }
    }

    fn count(&mut self, writes: &[Write]) -> bool {
        let mut counters = self.counters.clone();
        for write in writes {
            if let Write::Count { counter, by, max } = write {
                let place = counters.iter_mut().find(|(known, _)| known == counter);
                let total = match place {
                    Some((_, count)) => {
                        *count += by;
                        *count
                    }
                    None => {
                        counters.push((counter.clone(), *by));
                        *by
                    }
                };
                if total > *max {
                    return false;
                }
            }
        }
        self.counters = counters;
        true
    }

    /// What a decision of the gateway's own writes, sealed under keys of which each byte is its slot.
    pub fn take(&mut self, writes: Vec<Write>) {
        for write in writes {
            self.apply(write);
        }
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Fact { of, item, sealed } => {
                let context = seal_context(&of, item, None);
                let plain = sealed.sealed().open(&key(sealed.sealed().slot()), &context);
                self.facts.insert((of, item), plain.unwrap().to_vec());
            }
            Write::Part {
                of,
                item,
                class,
                sealed,
            } => {
                let context = seal_context(&of, item, Some(class));
                let plain = sealed.sealed().open(&key(sealed.sealed().slot()), &context);
                let part = PartRef { of, item, class };
                self.parts.push((part, plain.unwrap().to_vec()));
            }
            Write::Remove { of, item } => {
                self.facts.remove(&(of.clone(), item));
                self.parts
                    .retain(|(part, _)| part.of != of || part.item != item);
            }
            // What is held is gone for the journeys all the same.
            Write::List { .. }
            | Write::Unlist { .. }
            | Write::Count { .. }
            | Write::Hold { .. }
            | Write::Release { .. }
            | Write::Follow { .. }
            | Write::Forget { .. } => {}
        }
    }

    /// What a part holds.
    pub fn plain(&self, wanted: &PartRef) -> &[u8] {
        let found = self.parts.iter().find(|(part, _)| part == wanted);
        &found.unwrap().1
    }

    /// The items that an organisation's IG officer must decide.
    pub fn queue(&self, name: &str) -> Vec<QueueItem> {
        let facts = self.facts.iter();
        let own = facts.filter(|((of, _), _)| *of == Aggregate::Queue(org(name)));
        own.filter_map(|(_, bytes)| match Record::parse(bytes) {
            Ok(Record::QueueItem(item)) => Some(item),
            _ => None,
        })
        .collect()
    }

    /// She is to be referred to a service, with her consent.
    pub fn offer(&self, to: &str, names: Names<'_>, direction: Direction) -> Offer {
        let rules = Rules::for_tests();
        let today = rules.clock.date(self.now).unwrap();
        let (person, identity) = resolve(identity(names), &rules.tokens, today).ok().unwrap();
        let mut contact = RawSafeContact::default();
        contact.modes = vec!["phone".to_owned()];
        contact.number = Some("07700 900123".to_owned());
        contact.checked = true;
        let mut given = consent(Opens::Share, &[to]);
        given.classes = vec![
            DataClass::Op,
            DataClass::Id,
            DataClass::Loc,
            DataClass::Ip,
            DataClass::Ft,
        ];
        given.purposes = vec![Purpose::Support];
        given.depth = None;
        given.given_at = self.now;
        Offer {
            service: ServiceId::parse(to).unwrap(),
            operational: operational(direction),
            person,
            identity,
            safe_contact: SafeContact::parse(contact, self.now).ok(),
            other_party: None,
            beside: offering::Besides::default(),
            note: None,
            asides: Vec::new(),
            language: None,
            ground: OfferGround::Consent(given),
            agreed_timing: None,
            externals: Vec::new(),
            strict: false,
            left_behind: Vec::new(),
        }
    }

    /// `from` refers her to a service with her consent; its alias at the receiving side.
    pub fn refer(&mut self, from: &str, to: &str, names: Names<'_>, direction: Direction) -> Id {
        let offer = self.offer(to, names, direction);
        self.send(from, to, &offer)
    }

    /// `from` makes an offer; its alias at the receiving side.
    pub fn send(&mut self, from: &str, to: &str, offer: &Offer) -> Id {
        let done = self.run(
            attempt(from, Action::OfferReferral),
            |rules, attempt, known, keys| offering::offer(rules, attempt, known, keys, offer),
        );
        assert!(
            matches!(done.answer, Answer::Offered(_)),
            "{}",
            done.answer.told()
        );
        let referral = done.decided.object.unwrap();
        self.rules
            .aliases_of(&org(to))
            .outward(AliasKind::Referral, referral)
    }

    pub fn accept(&mut self, at: &str, alias: Id) {
        let response = Response::Accept {
            worker: "worker".to_owned(),
            onward_rule_accepted: true,
            no_conflict: true,
        };
        let done = self.run(
            attempt(at, Action::AcceptReferral),
            |rules, attempt, known, keys| {
                answering::respond(rules, attempt, known, keys, alias, &response)
            },
        );
        assert!(
            matches!(done.answer, Answer::Released(..)),
            "{}",
            done.answer.told()
        );
    }

    /// Police refer her, and the service accepts.
    pub fn accepted(&mut self, at: &str, names: Names<'_>) -> Id {
        let alias = self.refer("met", at, names, Direction::Police);
        self.accept(at, alias);
        alias
    }

    /// An organisation records an assessment of her; its own id.
    pub fn assess(&mut self, at: &str, names: Names<'_>, draft: &Draft) -> Id {
        let subject = Subject::Tokens(tokens(names), None);
        let done = self.run(
            attempt(at, Action::RecordAssessment),
            |rules, attempt, known, keys| {
                assessing::record(rules, attempt, known, keys, &subject, draft)
            },
        );
        let Answer::Assessed { .. } = done.answer else {
            panic!("{}", done.answer.told());
        };
        done.decided.object.unwrap()
    }

    pub fn withdraw(&mut self, at: &str, names: Names<'_>, wish: &Wish) -> Done {
        let tokens = tokens(names);
        let done = self.run(
            attempt(at, Action::Withdraw),
            |rules, attempt, known, keys| {
                withdrawing::withdraw(rules, attempt, known, keys, &tokens, wish)
            },
        );
        assert!(matches!(done.answer, Answer::TookWord { .. }));
        done
    }

    /// The data as they are now, as a copy holds them.
    pub fn copy(&self) -> Self {
        Self {
            now: self.now,
            rules: self.rules,
            facts: self.facts.clone(),
            parts: self.parts.clone(),
            counters: self.counters.clone(),
            made: self.made,
        }
    }

    /// Puts a copy in place of the data. What was made since is gone; no randomness comes again.
    pub fn restore(&mut self, copy: &Self) {
        let (now, made) = (self.now, self.made);
        *self = copy.copy();
        (self.now, self.made) = (now, made);
    }

    /// All facts, to see whether anything changed.
    pub fn facts(&self) -> &BTreeMap<(Aggregate, Id), Vec<u8>> {
        &self.facts
    }
}

fn key(slot: Slot) -> ItemKey {
    let byte = u8::try_from(slot.0).unwrap();
    ItemKey::new(slot, [byte; 32])
}

pub fn organisation(name: &str, kind: OrgKind) -> Organisation {
    Organisation {
        id: org(name),
        name: name.to_owned(),
        kind,
        enrolled_at: start(),
        suspended_at: None,
        suspensions: 0,
        identifiers: Vec::new(),
        areas: Vec::new(),
        teams: vec![Team {
            id: team(),
            name: "Team".to_owned(),
            attestation: Some(Attestation {
                taint: Taint::None,
                at: start().plus_days(-1),
                by: "ig".to_owned(),
            }),
        }],
        certificates: vec![Certificate {
            spki_sha256: [9; 32],
            team: team(),
            user: None,
            roles: Role::ALL.to_vec(),
            not_after: start().plus_days(400),
            revoked_at: None,
        }],
        agreements: vec![Agreement {
            id: Id::ZERO,
            reference: "DSA 1".to_owned(),
            classes: Vec::new(),
            purposes: Vec::new(),
            from: start().plus_days(-1),
            to: start().plus_days(400),
            ended_at: None,
            people_a_day: 2,
            standing: None,
        }],
        custody: Custody::Gateway,
        hpke_public_key: None,
        duty_line: (name == "lantern").then(|| "0808 157 0000".to_owned()),
        taint: Taint::None,
    }
}

fn operational(direction: Direction) -> Operational {
    Operational {
        direction,
        party_role: PartyRole::Victim,
        offence_group: OffenceGroup::DomesticAbuse,
        reported_to_police: ReportedToPolice::Yes,
        reported_at: None,
        priority_categories: Vec::new(),
        urgency: UrgencyCode::Standard,
        risk: None,
        needs: Vec::new(),
        area: None,
        worker_gender: WorkerGender::Any,
        epr: None,
    }
}
