//! One gateway with a charity that holds consents: how these come there, and the decisions that are
//! measured. Everything goes through the pipeline, as it does for a caller.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Act;
use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::{Attempt, IdempotencyKey, RequestDigest, UserName};
use crate::domain::codes::{Action, ConsentDepth, DataClass, Purpose, Role, WithdrawalScope};
use crate::domain::consent::Consent;
use crate::domain::id::{ConsentId, Id, OrgId};
use crate::domain::journey::answering::Response;
use crate::domain::journey::offering::{Besides, Offer};
use crate::domain::journey::querying::{Query, Step};
use crate::domain::journey::subject::Subject;
use crate::domain::journey::withdrawing::Wish;
use crate::domain::peer::Peer;
use crate::domain::person::{RawFields, RawIdentifier};
use crate::domain::time::When;
use crate::edge::http::App;
use crate::edge::http::call::parse_form;
use crate::edge::wire::assessment::AssessmentIn;
use crate::edge::wire::{ConsentIn, IdentityIn, ReferralIn};
use crate::ops::bench::resolve::People;
use crate::ops::bench::town::Town;
use crate::ops::bench::{BenchError, crowd};
use crate::ops::demo::borough::{CHARITY, OTHER_SERVICE, SERVICE};
use crate::ops::demo::people::{assessment, consent, consent_to_ask};
use crate::pipeline::{Answered, Gateway};

/// The charity whose consents are many has this bundle; the others take part in what is measured.
const OTHER: &str = "harbour";
const COUNCIL: &str = "council-housing";
const POLICE: &str = "met";
/// Consents that are recorded at once, so that they share a sync.
const FILLERS: u64 = 16;
/// A worker may ask about thirty women a day.
const WOMEN_A_WORKER: u64 = 25;

/// Who calls, in which role.
#[derive(Clone)]
struct Desk {
    peer: Peer,
    role: Role,
}

/// A woman whom both services look after, under their own names for her.
#[derive(Clone, Copy)]
struct Woman {
    at_charity: Id,
    at_other: Id,
    number: u64,
}

pub struct Side {
    town: Town,
    one: Arc<One>,
    women: Vec<Woman>,
    /// The consent that this turn recorded.
    recorded: Option<ConsentId>,
    /// Whom this turn met.
    newcomer: u64,
}

/// What many tasks share.
struct One {
    app: Arc<App>,
    charity: Desk,
    other: Desk,
    council: Desk,
    police: Desk,
    /// Their names and dates of birth are as unequal as real ones, so that no more of them agree by
    /// chance than in life.
    people: People,
    /// Requests made so far.
    sent: AtomicU64,
    /// The number of whoever comes next.
    next: AtomicU64,
}

impl Side {
    pub async fn open(under: &Path) -> Result<Self, BenchError> {
        let town = Town::open(under).await?;
        let desk = async |bundle, role| {
            let peer = town.peer_of(bundle).await?;
            Ok::<_, BenchError>(Desk { peer, role })
        };
        let one = One {
            app: Arc::clone(&town.running.app),
            charity: desk(CHARITY, Role::Adviser).await?,
            other: desk(OTHER, Role::Adviser).await?,
            council: desk(COUNCIL, Role::Housing).await?,
            police: desk(POLICE, Role::Officer).await?,
            people: People::new(),
            sent: AtomicU64::new(0),
            next: AtomicU64::new(0),
        };
        Ok(Self {
            one: Arc::new(one),
            town,
            women: Vec::new(),
            recorded: None,
            newcomer: 0,
        })
    }

    pub async fn close(self) -> Result<(), BenchError> {
        drop(self.one);
        self.town.close().await
    }

    /// The charity assesses so many women, and each consents that the other service sees it.
    pub async fn fill(&self, consents: u64) -> Result<(), BenchError> {
        let mut working = JoinSet::new();
        for filler in 0..FILLERS {
            let share = consents / FILLERS + u64::from(filler < consents % FILLERS);
            let one = Arc::clone(&self.one);
            working.spawn(async move {
                for _ in 0..share {
                    one.assesses(one.someone()).await?;
                }
                Ok::<_, BenchError>(())
            });
        }
        while let Some(done) = working.join_next().await {
            done.map_err(|_| BenchError::Broken)??;
        }
        Ok(())
    }

    /// Police refer so many of them, spread over all, to both services, who accept; and the other one
    /// may ask.
    pub async fn meet(&mut self, women: u64) -> Result<(), BenchError> {
        let all = self.one.next.load(Ordering::Relaxed);
        let women = women.min(all);
        for place in 0..women {
            let mut number = place * (all / women);
            while crowd::nhs_number(number).is_none() {
                number += 1;
            }
            let one = &self.one;
            let at_charity = one.takes_on(&one.charity, CHARITY, SERVICE, number).await?;
            let at_other = one
                .takes_on(&one.other, OTHER, OTHER_SERVICE, number)
                .await?;
            let woman = Woman {
                at_charity,
                at_other,
                number: place,
            };
            one.asks(woman, Some(consent_to_ask(one.lately()))).await?;
            self.women.push(woman);
        }
        Ok(())
    }

    /// One decision, and how long it took.
    pub async fn act(&mut self, act: Act, turn: u64) -> Result<Duration, BenchError> {
        let place = usize::try_from(turn).unwrap_or(0) % self.women.len().max(1);
        let woman = *self.women.get(place).ok_or(BenchError::NothingToRead)?;
        match act {
            Act::Question => self.one.asks(woman, None).await,
            Act::Consent => {
                let (took, consent) = self.one.records(woman).await?;
                self.recorded = Some(consent);
                Ok(took)
            }
            Act::TakenBack => {
                let consent = self.recorded.take().ok_or(BenchError::NothingToRead)?;
                self.one.takes_back(woman, consent).await
            }
            Act::Assessment => {
                self.newcomer = self.one.someone();
                self.one.assesses(self.newcomer).await
            }
            Act::Offer => self.one.refers_on(self.newcomer).await,
            Act::Withdrawal => self.one.withdraws(self.newcomer).await,
        }
    }
}

impl One {
    fn gateway(&self) -> &Gateway {
        &self.app.gateway
    }

    /// The number of somebody whom nobody knows, with an NHS number, so that services can be sure.
    fn someone(&self) -> u64 {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if crowd::nhs_number(number).is_some() {
                return number;
            }
        }
    }

    /// Who she is, as JSON.
    fn identity(&self, number: u64) -> Value {
        let fields = self.people.fields(number);
        let mut person = json!({
            "given_name": fields.given_name, "family_name": fields.family_name,
            "birth_date": fields.birth_date, "nhs_number": crowd::nhs_number(number),
        });
        if let Some(postcode) = &fields.postcode {
            set(&mut person, "postcode", json!(postcode));
        }
        person
    }

    /// When what is recorded was said: before any withdrawal of the bench.
    fn lately(&self) -> When {
        self.gateway().time().plus_hours(-1)
    }

    fn attempt(
        &self,
        by: &Desk,
        user: &str,
        action: Action,
        purpose: Purpose,
    ) -> Result<Attempt, BenchError> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let key = IdempotencyKey::parse(&format!("consents-{number}"));
        Ok(Attempt {
            peer: by.peer.clone(),
            user: UserName::parse(user).map_err(|_| BenchError::Denied)?,
            role: by.role,
            asserted: true,
            second_factor: false,
            action,
            purpose,
            when: self.gateway().time(),
            entropy: self.gateway().entropy(),
            request: RequestDigest::of("POST", "/bench", &number.to_be_bytes()),
            idempotency: Some(key.map_err(|_| BenchError::Denied)?),
            check_only: false,
        })
    }

    async fn assesses(&self, number: u64) -> Result<Duration, BenchError> {
        let attempt = self.attempt(
            &self.charity,
            "r-osei",
            Action::RecordAssessment,
            Purpose::Support,
        )?;
        let mut form = assessment(self.lately(), OTHER);
        set(&mut form, "identity", self.identity(number));
        let input: AssessmentIn = parse_form(form).map_err(|_| BenchError::Denied)?;
        let (named, draft) = input.parse(&attempt).map_err(|_| BenchError::Denied)?;
        let subject = self.gateway().subject(named, attempt.when);
        let subject = subject.map_err(|_| BenchError::Denied)?;
        let from = Instant::now();
        let answered = self.gateway().record_assessment(attempt, &subject, &draft);
        let answered = answered.await?;
        let took = from.elapsed();
        match answered.answer {
            Answer::Assessed { .. } => Ok(took),
            other => Err(BenchError::Answered(other.told())),
        }
    }

    /// A service accepts a woman whom police refer to it: its own name for her.
    async fn takes_on(
        &self,
        at: &Desk,
        organisation: &str,
        service: &str,
        number: u64,
    ) -> Result<Id, BenchError> {
        let form = crowd::referral_to(service, &self.identity(number), self.gateway().time());
        let (_, answered) = self.offers(&self.police, "pc-ward", form).await?;
        let Answer::Offered(offered) = &answered.answer else {
            return Err(BenchError::Answered(answered.answer.told()));
        };
        let referral = answered
            .aliases
            .inward(AliasKind::Referral, offered.referral.id());
        let organisation = OrgId::parse(organisation).map_err(|_| BenchError::Denied)?;
        let rules = self.gateway().rules.load_full();
        let theirs = rules.alias_key.of(&organisation, 0, answered.at);
        let alias = theirs.outward(AliasKind::Referral, referral);
        let accept = Response::Accept {
            worker: "r-osei".to_owned(),
            onward_rule_accepted: true,
            no_conflict: true,
        };
        let attempt = self.attempt(at, "r-osei", Action::AcceptReferral, Purpose::Support)?;
        let answered = self.gateway().respond(attempt, alias, accept).await?;
        match &answered.answer {
            Answer::Released(referral, _) => {
                let person = referral.recipient_person.ok_or(BenchError::NothingToRead)?;
                Ok(theirs.outward(AliasKind::Person, person.id()))
            }
            other => Err(BenchError::Answered(other.told())),
        }
    }

    async fn offers(
        &self,
        by: &Desk,
        user: &str,
        form: Value,
    ) -> Result<(Duration, Answered), BenchError> {
        let purpose = match by.role {
            Role::Officer => Purpose::OnwardReferral,
            _ => Purpose::Support,
        };
        let attempt = self.attempt(by, user, Action::OfferReferral, purpose)?;
        let input: ReferralIn = parse_form(form).map_err(|_| BenchError::Denied)?;
        let draft = input.parse(&attempt, false);
        let mut draft = draft.map_err(|_| BenchError::Denied)?;
        let nobody = RawIdentifier::new(RawFields::default());
        let raw = std::mem::replace(&mut draft.identity, nobody);
        let resolved = self.gateway().resolve(raw, attempt.when);
        let resolved = resolved.map_err(|_| BenchError::Denied)?;
        let offer = Offer::of(draft, resolved, Besides::default(), attempt.when);
        let offer = offer.map_err(|_| BenchError::Denied)?;
        let from = Instant::now();
        let answered = self.gateway().offer(attempt, offer).await?;
        Ok((from.elapsed(), answered))
    }

    async fn refers_on(&self, number: u64) -> Result<Duration, BenchError> {
        let mut form =
            crowd::referral_to(OTHER_SERVICE, &self.identity(number), self.gateway().time());
        set(&mut form, "direction", json!("voluntary"));
        let (took, answered) = self.offers(&self.charity, "r-osei", form).await?;
        match answered.answer {
            Answer::Offered(_) => Ok(took),
            other => Err(BenchError::Answered(other.told())),
        }
    }

    /// The other service asks for the cards, and is shown one.
    async fn asks(&self, woman: Woman, given: Option<Value>) -> Result<Duration, BenchError> {
        let worker = format!("worker-{}", woman.number / WOMEN_A_WORKER);
        let attempt = self.attempt(
            &self.other,
            &worker,
            Action::QueryAssessments,
            Purpose::PriorAssessment,
        )?;
        let query = Query {
            subject: Subject::Person(woman.at_other),
            step: Step::Cards,
            consent: given.map(|given| said(given, &attempt)).transpose()?,
            onward_rule_accepted: true,
            card_code: None,
        };
        let from = Instant::now();
        let answered = self.gateway().query_assessments(attempt, &query).await?;
        let took = from.elapsed();
        match answered.answer {
            Answer::Assessments(shown, _) if shown.len() == 1 => Ok(took),
            other => Err(BenchError::Answered(other.told())),
        }
    }

    /// The charity records that she lets the other service see what it holds.
    async fn records(&self, woman: Woman) -> Result<(Duration, ConsentId), BenchError> {
        let attempt = self.attempt(
            &self.charity,
            "r-osei",
            Action::RecordConsent,
            Purpose::Support,
        )?;
        let mut form = consent(self.lately());
        set(&mut form, "opens", json!("share"));
        set(&mut form, "depth", json!(ConsentDepth::Cards.code()));
        let mut given = said(form, &attempt)?;
        let other = OrgId::parse(OTHER).map_err(|_| BenchError::Denied)?;
        given.recipients.organisations.push(other);
        let gateway = self.gateway();
        let from = Instant::now();
        let answered = gateway.record_consent(attempt, woman.at_charity, &given);
        let answered = answered.await?;
        let took = from.elapsed();
        match answered.answer {
            Answer::Consented { consent } => Ok((took, consent)),
            other => Err(BenchError::Answered(other.told())),
        }
    }

    async fn takes_back(&self, woman: Woman, consent: ConsentId) -> Result<Duration, BenchError> {
        let attempt = self.attempt(
            &self.charity,
            "r-osei",
            Action::WithdrawConsent,
            Purpose::Support,
        )?;
        let (gateway, consent) = (self.gateway(), consent.id());
        let from = Instant::now();
        let answered = gateway.withdraw_consent(attempt, woman.at_charity, consent);
        let answered = answered.await?;
        let took = from.elapsed();
        match answered.answer {
            Answer::Withdrawn { .. } => Ok(took),
            other => Err(BenchError::Answered(other.told())),
        }
    }

    async fn withdraws(&self, number: u64) -> Result<Duration, BenchError> {
        let attempt = self.attempt(
            &self.council,
            "k-brandt",
            Action::Withdraw,
            Purpose::Support,
        )?;
        let identity = parse_form::<IdentityIn>(self.identity(number));
        let raw = identity.map_err(|_| BenchError::Denied)?.raw();
        let resolved = self.gateway().resolve(raw, attempt.when);
        let (person, _) = resolved.map_err(|_| BenchError::Denied)?;
        let wish = Wish {
            scope: WithdrawalScope::Everything,
            organisations: Vec::new(),
            classes: Vec::new(),
            purposes: Vec::new(),
            channel: "telephone".to_owned(),
            pause: false,
        };
        let gateway = self.gateway();
        let from = Instant::now();
        let answered = gateway
            .withdraw(attempt, person.tokens(), wish, &[])
            .await?;
        let took = from.elapsed();
        match answered.answer {
            Answer::TookWord { .. } => Ok(took),
            other => Err(BenchError::Answered(other.told())),
        }
    }
}

/// A consent as the wire says it, for prior assessments.
fn said(form: Value, attempt: &Attempt) -> Result<Consent, BenchError> {
    let input: ConsentIn = parse_form(form).map_err(|_| BenchError::Denied)?;
    let classes = [DataClass::Op, DataClass::Sp];
    let purposes = [Purpose::PriorAssessment];
    let given = input.parse(attempt.organisation(), attempt.when, &classes, &purposes);
    Ok(given.map_err(|_| BenchError::Denied)?.consent)
}

fn set(form: &mut Value, field: &str, value: Value) {
    if let Value::Object(map) = form {
        map.insert(field.to_owned(), value);
    }
}
