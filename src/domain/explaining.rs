//! Why a request is decided as it is: which policies match, what the firewall then drops, and which
//! single change would permit it. It asks what the gateway asks, and decides nothing.

use super::codes::{ConsentDepth, ConsentStrength, DataClass, Purpose, Role};
use super::firewall::{Screenable, Screening, Stage, Supplied, Text, screen};
use super::policy::{Ask, ConsentState, DeniedWhy, Policies, Relationship, authorise};

/// A policy that matches, with the sentence that it enforces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    pub id: String,
    pub says: String,
}

/// One data class that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub class: DataClass,
    /// What must hold before this recipient is told it, and the rule that drops it; `None` if it is
    /// told.
    pub dropped: Option<(&'static str, &'static str)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// `None` if it is permitted.
    pub refused: Option<DeniedWhy>,
    pub permits: Vec<Matched>,
    /// A single one of them refuses, whatever permits.
    pub forbids: Vec<Matched>,
    /// What comes of each class, if it is permitted.
    pub classes: Vec<Told>,
    /// Of a refusal: single changes that would permit it.
    pub instead: Vec<String>,
}

/// Classes alone, without anything of anyone.
struct Classes(Vec<DataClass>);

impl Screenable for Classes {
    fn classes(&self) -> Vec<DataClass> {
        self.0.clone()
    }

    fn keep(mut self, allowed: impl Fn(DataClass) -> bool) -> Self {
        self.0.retain(|class| allowed(*class));
        self
    }
}

/// Explains a request. `text` is what the screen said of its free text. `None` if a policy fails on
/// it, which refuses everything.
pub fn explain(policies: &Policies, ask: &Ask, text: Text) -> Option<Explained> {
    let (mut permits, mut forbids) = (Vec::new(), Vec::new());
    for (id, permit) in policies.matching(ask)? {
        let says = policies.says(&id).unwrap_or_default().to_owned();
        let matched = Matched { id, says };
        match permit {
            true => permits.push(matched),
            false => forbids.push(matched),
        }
    }
    let asked = Classes(ask.classes.clone());
    let (refused, classes) = match authorise(policies, ask, asked) {
        Err(denied) => (Some(denied.why), Vec::new()),
        Ok(permitted) => {
            let screening = Screening {
                stage: Stage::Accept,
                supplied: match ask.own {
                    true => Supplied::ByRecipient,
                    false => Supplied::ByAnother,
                },
                text,
            };
            let screened = screen(permitted, screening);
            let told = |class: &DataClass| Told {
                class: *class,
                dropped: screened
                    .dropped()
                    .iter()
                    .find(|dropped| dropped.class == *class)
                    .map(|dropped| (dropped.cell.code(), dropped.rule)),
            };
            (None, ask.classes.iter().map(told).collect())
        }
    };
    let instead = match refused {
        Some(_) => instead(policies, ask),
        None => Vec::new(),
    };
    Some(Explained {
        refused,
        permits,
        forbids,
        classes,
        instead,
    })
}

/// Single changes of the request that would permit it. What the law or the firewall closes is not
/// among what is tried: nobody can bring that about.
fn instead(policies: &Policies, ask: &Ask) -> Vec<String> {
    let mut found = Vec::new();
    let mut attempt = |words: String, change: &dyn Fn(&mut Ask)| {
        let mut other = ask.clone();
        change(&mut other);
        if authorise(policies, &other, ()).is_ok() {
            found.push(words);
        }
    };
    attempt("the asker's agreement were in date".to_owned(), &|ask| {
        ask.actor.agreement_in_date = true;
        if ask.recipient.organisation == ask.actor.organisation {
            ask.recipient.agreement_in_date = true;
        }
    });
    attempt("the second factor were given".to_owned(), &|ask| {
        ask.actor.second_factor = true;
    });
    attempt(
        "the break-glass warning were confirmed".to_owned(),
        &|ask| {
            ask.emergency_confirmed = true;
        },
    );
    let consent = |from_another| ConsentState {
        strength: ConsentStrength::Explicit,
        live: true,
        covers: true,
        from_another,
        depth: Some(ConsentDepth::Answers),
    };
    attempt("her explicit consent covered it".to_owned(), &|ask| {
        ask.consent = Some(consent(false));
    });
    attempt(
        "she had agreed with the source that it is shared".to_owned(),
        &|ask| ask.source_consent = Some(consent(true)),
    );
    attempt(
        "it were surely of her, by more than name and date of birth".to_owned(),
        &|ask| ask.identity_sure = true,
    );
    for step in ConsentDepth::ALL {
        attempt(
            format!("the question went no further than '{}'", step.code()),
            &|ask| {
                if ask.step.is_some_and(|asked| *step < asked) {
                    ask.step = Some(*step);
                }
            },
        );
    }
    for purpose in Purpose::ALL {
        attempt(format!("the purpose were '{}'", purpose.code()), &|ask| {
            ask.purpose = *purpose;
        });
    }
    for role in Role::ALL {
        attempt(format!("the role were '{}'", role.code()), &|ask| {
            ask.actor.role = *role;
        });
    }
    for relationship in Relationship::ALL {
        let words = format!("the relationship were '{}'", relationship.code());
        attempt(words, &|ask| ask.relationship = *relationship);
    }
    found
}
