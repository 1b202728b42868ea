//! `firedoor client`: what an agency does from its shell, each command one request.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::bundle::{ConnectionArgs, totp_code};
use super::caller::BodyKind;
use super::emergencies::{EmergenciesArgs, EmergencyArgs, FollowUpArgs};
use super::input::{OFFER_HELP, document, given, typed};
use super::reconciling::ReconcileArgs;
use super::sealed_items::{CollectArgs, SEAL_HELP, SealArgs, Sealing};
use super::subject_access::AccessCommand;
use super::{ClientFault, Request, id};
use crate::domain::rulebook::built_in_pages;
use crate::ops::rules;

/// What an agency does from its shell.
#[derive(Subcommand, Debug)]
pub enum ClientCommand {
    /// What you are, and to which services you may refer
    #[command(after_help = "Example: firedoor client me --bundle bundles/met-system")]
    Me,
    /// The code lists
    #[command(after_help = "Example: firedoor client codes --json --bundle bundles/met-system")]
    Codes,
    /// Offer a referral
    #[command(after_help = OFFER_HELP)]
    Offer {
        file: String,
        /// Say what would happen; store nothing
        #[arg(long)]
        check: bool,
        /// Refuse it if its note would be held
        #[arg(long)]
        strict: bool,
        /// The file holds many, one a line (NDJSON)
        #[arg(long)]
        many: bool,
    },
    /// Your own referrals
    #[command(after_help = "Example: firedoor client sent --bundle bundles/met")]
    Sent {
        #[arg(long, default_value = "")]
        after: String,
    },
    /// Where one of your referrals stands
    #[command(after_help = "Example: firedoor client status 01J... --bundle bundles/met")]
    Status { id: String },
    /// Add the note, or send it again without the words that were held
    #[command(
        after_help = "Example: echo 'Needs legal advice.' | firedoor client note 01J... - \
        --bundle bundles/met"
    )]
    Note {
        id: String,
        /// The text, or - for standard input, which other users cannot see
        text: String,
    },
    /// Send news about her: a code
    #[command(
        after_help = "Example: firedoor client update 01J... new_incident --bundle bundles/met\n\
        Example: firedoor client update 01J... safe_contact_changed contact.json --bundle \
        bundles/met"
    )]
    Update {
        id: String,
        code: String,
        /// JSON with safe_contact or consent, where the code asks for it; or - for standard input
        file: Option<String>,
        /// To police only: life is at risk
        #[arg(long)]
        life_at_risk: bool,
    },
    /// She moves: hand her over to a service in another area
    #[command(
        after_help = "There is no place for an address: the service that takes her asks her.\n\n\
        Example: firedoor client transfer 01J... move.json --bundle bundles/larkfield"
    )]
    Transfer { id: String, file: String },
    /// What the text screen would hold
    #[command(after_help = "Example: firedoor client screen 'His visa' --bundle bundles/met")]
    Screen {
        /// The text, or - for standard input
        text: String,
    },
    /// Say that a hold was wrong, within seven days; it lets nothing through
    #[command(
        after_help = "Example: firedoor client wrong 01J... --because everyday_word \
        --bundle bundles/met"
    )]
    Wrong {
        /// The reference of the hold
        hold: String,
        /// A code: everyday_word, about_a_service, name_or_place, other_number, readable_language
        /// or other
        #[arg(long)]
        because: String,
    },
    /// Offers to your team
    #[command(after_help = "Example: firedoor client inbox --bundle bundles/larkfield")]
    Inbox {
        #[arg(long, default_value = "")]
        after: String,
    },

    /// What was released to you, again
    #[command(after_help = "Example: firedoor client show 01J... --bundle bundles/larkfield")]
    Show { id: String },
    /// Accept an offer: her name and how to reach her safely are released to you
    #[command(after_help = "Example: firedoor client accept 01J... --worker r-osei \
        --onward-rule-accepted --bundle bundles/larkfield")]
    Accept {
        id: String,
        /// The worker who takes it
        #[arg(long)]
        worker: String,
        /// You may not pass this on for immigration purposes; your organisation accepts this
        #[arg(long)]
        onward_rule_accepted: bool,
        /// Of an offer that a transfer made: its question is answered, nobody has such a link
        #[arg(long)]
        no_conflict: bool,
    },
    /// Not for you
    #[command(
        after_help = "Example: firedoor client decline 01J... --reason full --bundle \
        bundles/larkfield"
    )]
    Decline {
        id: String,
        /// A code; see: firedoor client codes
        #[arg(long)]
        reason: String,
    },
    /// Put an offer on your waiting list
    #[command(after_help = "Example: firedoor client wait 01J... --bundle bundles/larkfield")]
    Wait { id: String },
    /// Close a referral that you accepted
    #[command(
        after_help = "Example: firedoor client close 01J... --outcome safety --bundle \
        bundles/larkfield"
    )]
    Close {
        id: String,
        /// A code; may be given several times
        #[arg(long)]
        outcome: Vec<String>,
    },
    /// Somebody of yours knows her or the other party: within 24 hours of accepting her
    #[command(
        after_help = "Example: firedoor client hand-back 01J... knows_her --bundle \
        bundles/larkfield"
    )]
    HandBack { id: String, reason: String },
    /// What happened on your referrals
    #[command(after_help = "Example: firedoor client events --wait 30 --bundle bundles/met")]
    Events {
        #[arg(long, default_value = "")]
        after: String,
        /// Seconds to wait for the first, at most 60
        #[arg(long, default_value_t = 0)]
        wait: u64,
    },
    /// Record her consent, or that she refused
    #[command(
        after_help = "Example: firedoor client consent consent.json --bundle bundles/larkfield"
    )]
    Consent { file: String },
    /// She withdraws: no reason needed, at any service
    #[command(
        after_help = "FILE is JSON; with --card it is the 12 characters of the withdrawal code, or - \
        for standard input, which other users cannot see.\n\n\
        Example: firedoor client withdraw her.json --bundle bundles/larkfield\n\
        Example: firedoor client withdraw - --card --scope everything --bundle bundles/larkfield"
    )]
    Withdraw {
        file: String,
        /// By the code of her card
        #[arg(long)]
        card: bool,
        /// With --card: everything; the other scopes need a file
        #[arg(long, default_value = "everything", requires = "card")]
        scope: String,
        /// In force at once, and over after 72 hours unless you confirm it
        #[arg(long)]
        pause: bool,
    },
    /// A pause that you took was her word: it becomes a withdrawal
    #[command(after_help = "Example: firedoor client confirm 01J... --bundle bundles/larkfield")]
    Confirm { id: String },
    /// A pause that you took was not her word: you asked her safely, and it ends
    #[command(
        after_help = "Example: firedoor client lift 01J... --asked-her-safely --bundle \
        bundles/larkfield"
    )]
    Lift {
        id: String,
        /// You asked her where nobody could hear or press her
        #[arg(long)]
        asked_her_safely: bool,
    },
    /// She withdrew: say what became of what you were shown
    #[command(
        after_help = "Example: firedoor client stop-use 01J... kept_by_law --ground court_order \
        --bundle bundles/larkfield"
    )]
    StopUse {
        id: String,
        /// deleted, restricted, kept_by_law or not_found
        reply: String,
        /// With kept_by_law: which law, a code
        #[arg(long)]
        ground: Option<String>,
    },
    /// Make her a card: codes to withdraw and to let services ask once, shown once
    #[command(
        after_help = "Example: firedoor client card --person 01J... --bundle bundles/larkfield"
    )]
    Card {
        /// Your own reference of the person
        #[arg(long)]
        person: String,
    },
    /// Your own consents that you are to go through with the person again
    #[command(after_help = "Example: firedoor client consents-due --bundle bundles/larkfield")]
    ConsentsDue {
        #[arg(long, default_value = "")]
        after: String,
    },
    /// Seal immigration information to a legal adviser, with her consent to each item
    #[command(after_help = SEAL_HELP)]
    Seal(SealArgs),
    /// As a legal adviser, collect what was sealed to you: once
    #[command(
        after_help = "The gateway destroys an item when you collect it. The opened item belongs in \
        the privileged file.\n\nExample: firedoor client collect --bundle bundles/quayside\n\
        Example: firedoor client collect 01J... --out item.json --bundle bundles/quayside"
    )]
    Collect(CollectArgs),
    /// She withdraws what you sealed: destroyed, or its adviser told to stop using it
    #[command(
        after_help = "Example: firedoor client withdraw-item 01J... --bundle bundles/larkfield"
    )]
    WithdrawItem { id: String },
    /// After the gateway was restored from a copy: hand in the withdrawals taken since
    #[command(
        after_help = "Takes what was kept of your withdrawals from --receipts DIR, or from the \
        bundle's folder receipts.\n\nExample: firedoor client reconcile --receipts \
        bundles/larkfield/receipts --bundle bundles/larkfield-ig"
    )]
    Reconcile(ReconcileArgs),
    /// She asks what is held about her: taken, answered, looked at, handed over
    #[command(
        after_help = "Example: firedoor client subject-access list --bundle bundles/larkfield"
    )]
    SubjectAccess {
        #[command(subcommand)]
        command: AccessCommand,
    },
    /// Record an assessment, once
    #[command(after_help = "Example: firedoor client assess dash.json --bundle bundles/hospital")]
    Assess { file: String },
    /// Has she been assessed before?
    #[command(
        after_help = "Example: firedoor client query --person 01J... --step cards \
        --onward-rule-accepted --bundle bundles/larkfield"
    )]
    Query {
        /// JSON, or - for standard input
        file: Option<String>,
        /// Your own reference of the person
        #[arg(long, conflicts_with = "file", required_unless_present = "file")]
        person: Option<String>,
        /// exists (is there anything?), cards (in short) or answers (of one); exists if absent
        #[arg(long)]
        step: Option<String>,
        /// For answers: the id of the assessment, as the cards gave it
        #[arg(long)]
        assessment: Option<String>,
        /// You may not pass this on for immigration purposes; your organisation accepts this
        #[arg(long)]
        onward_rule_accepted: bool,
    },
    /// Your own assessments of a person, with those that were replaced or taken back
    #[command(
        after_help = "Example: firedoor client own-assessments --person 01J... --bundle \
        bundles/st-hildas"
    )]
    OwnAssessments {
        /// Your own reference of the person
        #[arg(long)]
        person: String,
    },
    /// Take back an assessment that you recorded by mistake; what it said is destroyed
    #[command(
        after_help = "Example: firedoor client take-back 01J... --person 01J... --because \
        wrong_person --bundle bundles/st-hildas"
    )]
    TakeBack {
        id: String,
        /// Your own reference of the person under whom it stands
        #[arg(long)]
        person: String,
        /// wrong_person, recorded_twice or never_said
        #[arg(long)]
        because: String,
    },
    /// You relied on an assessment, or why you asked her again
    #[command(
        after_help = "Example: firedoor client relied-on 01J... --person 01J... --bundle \
        bundles/larkfield"
    )]
    ReliedOn {
        id: String,
        /// Your own reference of the person
        #[arg(long)]
        person: String,
        /// A code; leave it out if you did not ask again
        #[arg(long)]
        reassessed_because: Option<String>,
    },
    /// Break the glass: first it says who will be told
    #[command(after_help = "Example: firedoor client emergency why.json --confirm \
        --onward-rule-accepted --bundle bundles/ae")]
    Emergency(EmergencyArgs),
    /// Emergencies of your organisation of which nothing was said yet
    #[command(after_help = "Example: firedoor client emergencies --bundle bundles/ae")]
    Emergencies(EmergenciesArgs),
    /// Say what was done in an emergency, within 24 hours; again, to correct it
    #[command(
        after_help = "Example: firedoor client follow-up 01J... --done called_safe_person \
        --she-now agrees --bundle bundles/ae"
    )]
    FollowUp(FollowUpArgs),
    /// Sign in with the six digits that your phone shows
    #[command(after_help = "Example: firedoor client second-factor 123456 --bundle bundles/ig")]
    SecondFactor { code: Option<String> },
    /// Propose a change that lets more through, or other policies
    #[command(
        after_help = "`policy DIR` proposes the policies of a folder with their proof, and its lists of \
                      words; `policy` alone, those built into this program. What is proposed is in \
                      force when a person of another organisation has approved it.\n\n\
                      Example: firedoor client propose change.json --bundle bundles/ig\n\
                      Example: firedoor client propose policy policies --bundle bundles/ig"
    )]
    Propose {
        /// JSON, or - for standard input; or the word policy
        what: String,
        /// After `policy`: the folder of policies; without it those built into this program
        dir: Option<PathBuf>,
    },
    /// What is proposed and waits for approval
    #[command(after_help = "Example: firedoor client proposals --bundle bundles/ig")]
    Proposals,
    /// Approve what another organisation proposed
    #[command(after_help = "Example: firedoor client approve 01J... --bundle bundles/ig")]
    Approve { id: String },
    /// Make a change that lets less through, at once
    #[command(after_help = "Example: firedoor client narrow change.json --bundle bundles/ig")]
    Narrow { file: String },
}

impl ClientCommand {
    /// The request that it stands for.
    ///
    /// # Errors
    /// [`ClientFault`] if a file cannot be read or an id is none.
    pub fn request(&self, connection: &ConnectionArgs) -> Result<Request, ClientFault> {
        let referral = |text: &str, verb: &str| {
            let id = id(text)?;
            Ok::<_, ClientFault>(format!("/v1/referrals/{id}{verb}"))
        };
        Ok(match self {
            Self::Me => Request::get("/v1/me"),
            Self::Codes => Request::get("/v1/codes"),
            Self::Offer {
                file,
                check,
                strict,
                many,
            } => Request {
                path: format!("/v1/referrals{}", if *check { "?check=only" } else { "" }),
                body: Some(given(file)?),
                kind: match many {
                    true => BodyKind::Lines,
                    false => BodyKind::Json,
                },
                strict: *strict,
                ..Request::get("")
            },
            Self::Sent { after: from } => Request::get(after("/v1/referrals", from)?),
            Self::Status { id } => Request::get(referral(id, "")?),
            Self::Note { id, text } => {
                Request::post(referral(id, "/note")?, &json!({ "note": typed(text)? }))
            }
            Self::Update {
                id,
                code,
                file,
                life_at_risk,
            } => {
                let mut body = match file {
                    Some(file) => document(file)?,
                    None => json!({}),
                };
                tick(&mut body, "life_at_risk", *life_at_risk);
                if let Value::Object(map) = &mut body {
                    map.insert("code".to_owned(), json!(code));
                }
                Request::post(referral(id, "/updates")?, &body)
            }
            Self::Transfer { id, file } => {
                Request::post(referral(id, "/transfer")?, &document(file)?)
            }
            Self::Screen { text } => Request::post("/v1/screen", &json!({ "text": typed(text)? })),
            Self::Wrong { hold, because } => Request::post(
                format!("/v1/screen/{}/wrong", id(hold)?),
                &json!({ "because": because }),
            ),
            Self::Inbox { after: from } => Request::get(after("/v1/inbox", from)?),
            Self::Show { id: text } => Request::get(format!("/v1/inbox/{}", id(text)?)),
            Self::Accept {
                id,
                worker,
                onward_rule_accepted,
                no_conflict,
            } => {
                let mut body =
                    json!({ "worker": worker, "onward_rule_accepted": onward_rule_accepted });
                tick(&mut body, "no_conflict", *no_conflict);
                Request::post(referral(id, "/accept")?, &body)
            }
            Self::Decline { id, reason } => {
                Request::post(referral(id, "/decline")?, &json!({ "reason": reason }))
            }
            Self::Wait { id } => Request::post(referral(id, "/wait")?, &json!({})),
            Self::Close { id, outcome } => {
                Request::post(referral(id, "/close")?, &json!({ "outcomes": outcome }))
            }
            Self::HandBack { id, reason } => {
                Request::post(referral(id, "/hand-back")?, &json!({ "reason": reason }))
            }
            Self::Events { after: from, wait } => {
                Request::get(after(&format!("/v1/events?wait={wait}"), from)?)
            }
            Self::Consent { file } => Request::post("/v1/consents", &document(file)?),
            Self::Withdraw {
                file,
                card,
                scope,
                pause,
            } => {
                let mut body = match card {
                    true => {
                        let code = String::from_utf8(given(file)?)
                            .map_err(|_| ClientFault::NotText(PathBuf::from(file)))?;
                        json!({ "card_code": code.trim(), "scope": scope, "channel": "card" })
                    }
                    false => document(file)?,
                };
                tick(&mut body, "pause", *pause);
                Request::post("/v1/withdrawals", &body)
            }
            Self::Confirm { id: text } => {
                Request::post(format!("/v1/withdrawals/{}/confirm", id(text)?), &json!({}))
            }
            Self::Lift {
                id: text,
                asked_her_safely,
            } => Request::post(
                format!("/v1/withdrawals/{}/lift", id(text)?),
                &json!({ "asked_her_safely": asked_her_safely }),
            ),
            Self::StopUse {
                id: text,
                reply,
                ground,
            } => Request::post(
                format!("/v1/stop-use/{}/reply", id(text)?),
                &json!({ "reply": reply, "ground": ground }),
            ),
            Self::Card { person } => Request::post("/v1/cards", &json!({ "person": person })),
            Self::ConsentsDue { after: from } => Request::get(after("/v1/consents", from)?),
            Self::Reconcile(args) => Request {
                reconcile: Some(args.clone()),
                ..Request::get("/v1/me")
            },
            Self::Seal(args) => Request {
                sealing: Some(Sealing::Seal(args.clone())),
                ..Request::get("/v1/sealed-items")
            },
            Self::Collect(args) => Request {
                sealing: Some(Sealing::Collect(args.clone())),
                ..Request::get("/v1/sealed-items")
            },
            Self::WithdrawItem { id: text } => Request::post(
                format!("/v1/sealed-items/{}/withdraw", id(text)?),
                &json!({}),
            ),
            Self::SubjectAccess { command } => command.request()?,
            Self::Assess { file } => Request::post("/v1/assessments", &document(file)?),
            Self::Query {
                file,
                person,
                step,
                assessment,
                onward_rule_accepted,
            } => {
                let mut body = match file {
                    Some(file) => document(file)?,
                    None => json!({ "person": person, "step": "exists" }),
                };
                for (field, given) in [("step", step), ("assessment", assessment)] {
                    if let (Some(given), Value::Object(map)) = (given, &mut body) {
                        map.insert(field.to_owned(), json!(given));
                    }
                }
                tick(&mut body, "onward_rule_accepted", *onward_rule_accepted);
                Request::post("/v1/assessments/query", &body)
            }
            Self::OwnAssessments { person } => {
                Request::post("/v1/assessments/own", &json!({ "person": person }))
            }
            Self::TakeBack {
                id: text,
                person,
                because,
            } => Request::post(
                format!("/v1/assessments/{}/withdraw", id(text)?),
                &json!({ "person": person, "because": because }),
            ),
            Self::ReliedOn {
                id: text,
                person,
                reassessed_because,
            } => Request::post(
                format!("/v1/assessments/{}/relied-on", id(text)?),
                &json!({ "person": person, "reassessed_because": reassessed_because }),
            ),
            Self::Emergency(args) => args.request()?,
            Self::Emergencies(args) => args.request()?,
            Self::FollowUp(args) => args.request()?,
            Self::SecondFactor { code } => {
                let code = match (code, connection.totp_secret()) {
                    (Some(code), _) => code.clone(),
                    (None, Some(path)) => totp_code(&path)?,
                    (None, None) => return Err(ClientFault::NoCode),
                };
                Request::post("/v1/second-factor", &json!({ "code": code }))
            }
            Self::Propose { what, dir } if what == "policy" => {
                Request::post("/v1/proposals", &policy_change(dir.as_deref())?)
            }
            Self::Propose { what, dir: None } => Request::post("/v1/proposals", &document(what)?),
            Self::Propose { .. } => return Err(ClientFault::NotPolicy),
            Self::Proposals => Request::get("/v1/proposals"),
            Self::Approve { id: text } => {
                Request::post(format!("/v1/approvals/{}", id(text)?), &json!({}))
            }
            Self::Narrow { file } => Request::post("/v1/narrowings", &document(file)?),
        })
    }
}

/// What was ticked on the command line, beside what the file says.
pub(super) fn tick(body: &mut Value, field: &str, ticked: bool) {
    if let (true, Value::Object(map)) = (ticked, body) {
        map.insert(field.to_owned(), json!(true));
    }
}

/// A proposal of all the files of a rulebook. The gateway judges them; a folder that `firedoor
/// policy check` finds good is taken.
fn policy_change(dir: Option<&Path>) -> Result<Value, ClientFault> {
    let pages = match dir {
        None => built_in_pages().to_vec(),
        Some(dir) => rules::pages(dir)
            .map_err(|error| ClientFault::Policies(dir.to_owned(), error.to_string()))?,
    };
    let files = pages.iter();
    let files: Vec<Value> = files
        .map(|(name, text)| json!({ "name": name, "text": text }))
        .collect();
    Ok(json!({ "change": "change_policy", "rulebook": files }))
}

pub(super) fn after(path: &str, after: &str) -> Result<String, ClientFault> {
    if after.is_empty() {
        return Ok(path.to_owned());
    }
    if !after.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(ClientFault::NotPlain("after"));
    }
    let joint = if path.contains('?') { '&' } else { '?' };
    Ok(format!("{path}{joint}after={after}"))
}
