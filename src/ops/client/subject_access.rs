//! `firedoor client subject-access`: a person asks what is held about her; taken, answered by each who
//! holds something, looked at by a second person, and handed over.

use clap::Subcommand;
use serde_json::{Value, json};

use super::input::{document, typed};
use super::{ClientFault, Request, id};

const TAKE_HELP: &str = "\
Example: firedoor client subject-access take her.json --bundle bundles/larkfield

FILE is JSON:

  { \"identity\": { \"given_name\": \"...\", \"family_name\": \"...\", \"nhs_number\": \"...\" },
    \"identity_proof\": \"known_to_worker\",   or paper_seen_in_person, safe_word_given,
                                           answers_checked_in_person, solicitor_confirms
    \"safe_contact_checked\": true,          you asked her again, alone
    \"delivery\": \"collected_in_person\",     never post it home
    \"not_asked\": [\"met\"] }                 whom she does not want to know of it

For somebody who asks for her: requester, authority, capacity, other_party, and of a parent or deputy
requester_identity: given_name and family_name, both, and birth_date (see /v1/openapi.json). Whoever
may be the other party is answered as anybody, and given nothing.
Who holds something is asked at once, and has fourteen days; you see state and days left, the same
whatever is held.";

const REPLY_HELP: &str = "\
Example: firedoor client subject-access reply 01J... reply.json --bundle bundles/st-hildas

FILE is JSON. Write for her, in plain words; nobody else reads it:

  { \"code\": \"holds\",                       or holds_nothing, she_did_not_ask
    \"entries\": [
      { \"about\": \"health\",                 or case_notes, social_work, crime,
                                           sealed_for_adviser, other
        \"basis\": \"public_task\",
        \"what\": \"A letter of March 2026 about your arm.\",
        \"why\": \"We treated you.\",
        \"withhold\": \"other_person\" } ] }   leave it out if she is to be given it

A second person looks at each entry (redact). Keep the file until then: your organisation may not be
shown its own words again.";

const DELIVER_HELP: &str = "\
Another person than the one who took the request, under her own certificate. The report goes to
standard output and nowhere else: print it or read it aloud, and give it to her in person. If there is
nothing to show, ask her to come in person, and say no more.

Example: firedoor client subject-access deliver 01J... --identity-checked --bundle bundles/larkfield-ig";

/// Her request for what is held about her.
#[derive(Subcommand, Debug)]
pub enum AccessCommand {
    /// Take a request, at any service
    #[command(after_help = TAKE_HELP)]
    Take { file: String },
    /// What you took and what you are asked, the open ones first
    #[command(
        after_help = "Example: firedoor client subject-access list --bundle bundles/larkfield"
    )]
    List {
        #[arg(long, default_value = "")]
        after: String,
    },
    /// One of them
    #[command(
        after_help = "Example: firedoor client subject-access show 01J... --bundle bundles/larkfield"
    )]
    Show { id: String },
    /// Identity is proved or not, she is asked what she means, it takes longer, it is refused
    #[command(
        after_help = "Example: firedoor client subject-access step 01J... identity_proved \
        --proof safe_word_given --bundle bundles/larkfield\n\
        Example: echo 'Many old letters.' | firedoor client subject-access step 01J... more_time \
        --because complex --explanation - --bundle bundles/larkfield"
    )]
    Step {
        id: String,
        /// identity_proved, identity_not_proved, clarification_asked, clarified, more_time, refused
        step: String,
        /// How identity was proved
        #[arg(long)]
        proof: Option<String>,
        /// Why more time: complex or many_requests
        #[arg(long)]
        because: Option<String>,
        /// On which ground it is refused
        #[arg(long)]
        ground: Option<String>,
        /// Why, in words for her, or - for standard input
        #[arg(long)]
        explanation: Option<String>,
    },
    /// Say what your organisation holds
    #[command(after_help = REPLY_HELP)]
    Reply { id: String, file: String },
    /// Look, as a second person, at one entry of your organisation's reply
    #[command(
        after_help = "Example: firedoor client subject-access redact 01J... 01J... --bundle \
        bundles/st-hildas\n\
        Example: firedoor client subject-access redact 01J... 01J... --withhold childs_words \
        --bundle bundles/st-hildas"
    )]
    Redact {
        id: String,
        /// The id of the entry
        entry: String,
        /// A code, if it is to be left out; see: firedoor client codes
        #[arg(long)]
        withhold: Option<String>,
    },
    /// Make the report and hand it over
    #[command(after_help = DELIVER_HELP)]
    Deliver {
        id: String,
        /// As she said when she asked, if absent
        #[arg(long)]
        how: Option<String>,
        /// You saw that it is she
        #[arg(long)]
        identity_checked: bool,
        /// She said again, alone, that post is safe there
        #[arg(long)]
        post_is_safe: bool,
        /// Why it is late, in words for her, or - for standard input
        #[arg(long)]
        explanation: Option<String>,
    },
}

impl AccessCommand {
    /// The request that it stands for.
    ///
    /// # Errors
    /// [`ClientFault`] if a file cannot be read or an id is none.
    pub fn request(&self) -> Result<Request, ClientFault> {
        let one = |text: &str, verb: &str| {
            let id = id(text)?;
            Ok::<_, ClientFault>(format!("/v1/subject-access/{id}{verb}"))
        };
        Ok(match self {
            Self::Take { file } => Request::post("/v1/subject-access", &document(file)?),
            Self::List { after } => {
                Request::get(super::agency::after("/v1/subject-access", after)?)
            }
            Self::Show { id } => Request::get(one(id, "")?),
            Self::Step {
                id,
                step,
                proof,
                because,
                ground,
                explanation,
            } => Request::post(
                one(id, "/steps")?,
                &json!({
                    "step": step, "proof": proof, "because": because, "ground": ground,
                    "explanation": text(explanation.as_deref())?,
                }),
            ),
            Self::Reply { id, file } => Request::post(one(id, "/reply")?, &document(file)?),
            Self::Redact {
                id,
                entry,
                withhold,
            } => Request::post(
                one(id, "/redact")?,
                &json!({ "entry": entry, "withhold": withhold }),
            ),
            Self::Deliver {
                id,
                how,
                identity_checked,
                post_is_safe,
                explanation,
            } => Request {
                alone: Some("report"),
                ..Request::post(
                    one(id, "/deliver")?,
                    &json!({
                        "how": how, "identity_checked": identity_checked,
                        "post_is_safe": post_is_safe,
                        "explanation": text(explanation.as_deref())?,
                    }),
                )
            },
        })
    }
}

fn text(given: Option<&str>) -> Result<Option<Value>, ClientFault> {
    given
        .map(|text| typed(text).map(|text| json!(text)))
        .transpose()
}
