//! `firedoor client seal`, `collect` and `withdraw-item`: the one way in which immigration
//! information moves (`domain.md` 3.9), from one agency's client to a legal adviser's.
//!
//! What is sealed and her consent to each piece of it are checked here, at both ends, because the
//! gateway between them can read neither. It is read from one file and written to one, and stands
//! nowhere else on a disk.

pub mod content;
mod pins;

use std::io::Write;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use clap::Args;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::bundle::ConnectionArgs;
use super::caller::{Caller, Said};
use super::custody::{CUSTODY_KEY, unhex};
use super::{ClientFault, Outcome, Request, id, print, receipts, signed_in};
use crate::domain::attempt::Entropy;
use crate::domain::custody;
use crate::domain::id::{Id, OrgId};
use crate::domain::sealed_item::{Binding, Commitment, fingerprint};
use crate::ops::clock;
use crate::ops::pki::write_secret;
use content::{Content, Unfit};

/// How the file looks that is sealed.
pub(super) const SEAL_HELP: &str = "\
Example: firedoor client seal item.toml --bundle bundles/larkfield --pin 7QF4-2KD0-...

FILE, in TOML or the same in JSON; delete it when the item is sealed:

  to = \"quayside\"                         # the adviser's organisation
  person = \"4ZQK...\"                      # your own reference of her, so that she can stop it at
                                          # any service; or [identity], as in a referral

  [[items]]                               # each with a code of the list below
  code = \"leave_ends\"
  text = \"31 March 2027\"

  [consent]                               # hers, to each item
  decision = \"permit\"
  strength = \"explicit\"
  purpose = \"immigration_legal_advice\"
  to = \"quayside\"
  items = [\"leave_ends\"]                 # what she agreed to, each ticked with her
  given_by = \"self\"                      # or parent_guardian, lpa_deputy
  competence = \"adult\"                   # or gillick_competent, child, adult_without_capacity
  # parent_is_other_party = \"no\"         # where a parent agrees for a child
  how = \"spoken\"                         # or written, bsl, digital
  language = \"en\"
  interpreter = \"none\"                   # or professional; never family
  other_party_present = \"no\"             # anything else is refused
  in_the_room = [\"worker\"]               # other_professional, professional_interpreter, friend,
                                          # relative, child
  no_copies_onward = true                 # you told her
  given_at = \"2026-11-22T10:00:00Z\"
  # until = \"2027-02-20T10:00:00Z\"       # 90 days if absent, twelve months at most

Codes: visa_type, leave_ends, date_of_entry, previous_applications, mvdac_needed,
no_recourse_to_public_funds, asylum_claim, nrm_reference, home_office_reference, nationality,
country_of_birth, documents_held, children.";

/// Why an item was not sealed or not opened. Says nothing of what is in it.
#[derive(Debug, thiserror::Error)]
pub enum SealFault {
    #[error(
        "the key of {0} is not pinned. Telephone them at a number that you know, let them read \
         their fingerprint to you (firedoor client collect shows it), and if it is the same seal \
         with: --pin {1}"
    )]
    NotPinned(String, String),
    #[error(
        "{0} has another key than the one that you pinned. Nothing was sealed. Telephone them; if \
         they changed it and their fingerprint is the same as this, seal with: --pin {1}"
    )]
    KeyChanged(String, String),
    #[error(
        "that is not the fingerprint of the key that the gateway names for {0}. Nothing was \
         sealed. Read it to each other again; if it still differs, tell the operator"
    )]
    WrongPin(String),
    #[error("a fingerprint is 26 letters and digits")]
    NotFingerprint,
    #[error("{0} is not in the form that `firedoor client seal --help` shows")]
    Form(String),
    #[error("not sealed: {}", list(.0))]
    Unfit(Vec<Unfit>),
    #[error(
        "opened, and not shown: {}. The gateway has destroyed it; ask the service to seal it again",
        list(.0)
    )]
    UnfitInside(Vec<Unfit>),
    #[error("an item holds at most 64 KiB: seal two")]
    TooMuch,
    #[error(
        "the item does not open with the custody key in this bundle, or was changed on its way. \
         Ask the service to seal it again"
    )]
    Closed,
    #[error("say where the opened item goes: --out FILE")]
    NoOut,
}

fn list(unfit: &[Unfit]) -> String {
    let said: Vec<String> = unfit.iter().map(ToString::to_string).collect();
    said.join("; ")
}

/// `firedoor client seal`
#[derive(Args, Clone, Debug)]
pub struct SealArgs {
    /// JSON or TOML as below, or - for standard input
    pub file: String,
    /// The adviser's fingerprint, as read to you over the telephone
    #[arg(long, value_name = "FINGERPRINT")]
    pub pin: Option<String>,
}

/// `firedoor client collect`
#[derive(Args, Clone, Debug)]
pub struct CollectArgs {
    /// The item; without one, what waits, and your own fingerprint
    pub id: Option<String>,
    /// A new file for the opened item, which only you can read
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// More than one request, with work before and after.
pub enum Sealing {
    Seal(SealArgs),
    Collect(CollectArgs),
}

/// Does what was asked.
///
/// # Errors
/// [`ClientFault`], with [`SealFault`] for what is wrong with the item, the consent or the key.
pub(super) async fn run(
    connection: &ConnectionArgs,
    caller: &mut Caller,
    work: &Sealing,
    out: &mut impl Write,
) -> Result<Outcome, ClientFault> {
    match work {
        Sealing::Seal(args) => seal(connection, caller, args, out).await,
        Sealing::Collect(CollectArgs { id: None, .. }) => waiting(connection, caller, out).await,
        Sealing::Collect(CollectArgs {
            id: Some(text),
            out: to,
        }) => {
            let to = to.as_ref().ok_or(SealFault::NoOut)?;
            collect(connection, caller, id(text)?, to, out).await
        }
    }
}

async fn get(
    connection: &ConnectionArgs,
    caller: &mut Caller,
    path: String,
) -> Result<Said, ClientFault> {
    let said = signed_in(connection, caller, &Request::get(path)).await?;
    connection.keep_session(caller)?;
    Ok(said)
}

/// One's own organisation, as the certificate is enrolled.
async fn own(connection: &ConnectionArgs, caller: &mut Caller) -> Result<OrgId, ClientFault> {
    let me = get(connection, caller, "/v1/me".to_owned()).await?;
    let name = me.text("/organisation").ok_or(ClientFault::Reply)?;
    OrgId::parse(name).map_err(|_| ClientFault::Reply)
}

async fn seal(
    connection: &ConnectionArgs,
    caller: &mut Caller,
    args: &SealArgs,
    out: &mut impl Write,
) -> Result<Outcome, ClientFault> {
    let mut form = content::read(&args.file)?;
    let about = (form.person.take(), form.identity.take());
    let now = clock::now();
    let own = own(connection, caller).await?;
    // Before anything is asked of the gateway: it need not know that this was tried.
    let content = Content::of(form, own.as_str(), now);
    let unfit = content.unfit(own.as_str(), &content.to, now);
    if !unfit.is_empty() {
        return Err(SealFault::Unfit(unfit).into());
    }
    let to = OrgId::parse(&content.to).map_err(|_| SealFault::Form("to".to_owned()))?;
    let said = get(connection, caller, format!("/v1/sealed-items/to/{to}")).await?;
    if said.refused() {
        print(connection, &said, out)?;
        return Ok(Outcome::Refused);
    }
    let public_key = said.text("/public_key").and_then(unhex);
    let public_key = public_key.ok_or(ClientFault::Reply)?;
    pins::settle(
        connection.bundle.as_deref(),
        &to,
        &public_key,
        args.pin.as_deref(),
    )?;
    let body = handed(&content, about, (&own, &to), &public_key)?;
    let said = signed_in(
        connection,
        caller,
        &Request::post("/v1/sealed-items", &body),
    )
    .await?;
    connection.keep_session(caller)?;
    if let Some(dir) = &connection.receipts {
        receipts::keep_all(dir, &said)?;
    }
    print(connection, &said, out)?;
    Ok(match said.refused() {
        true => Outcome::Refused,
        false => Outcome::Done,
    })
}

/// The request body: the box, filled up and sealed in memory.
fn handed(
    content: &Content,
    (person, identity): (Option<String>, Option<Value>),
    (from, to): (&OrgId, &OrgId),
    public_key: &[u8; 32],
) -> Result<Value, ClientFault> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| ClientFault::NoRandomness)?;
    let entropy = Entropy::new(*seed);
    let (plain, commitment) = content.to_plain(&entropy.bytes("salt"))?;
    let binding = Binding {
        sender: from,
        recipient: to,
        commitment,
    };
    let sealing = entropy.branch("seal");
    let boxed = custody::seal_item(public_key, &binding, &plain, &sealing);
    let boxed = boxed.map_err(|_| ClientFault::Reply)?;
    let digits: String = public_key
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut body = json!({
        "to": to.as_str(),
        "sealed_to": digits,
        "sealed": BASE64_STANDARD.encode(boxed),
        "commitment": commitment.to_string(),
        "consented_at": content.consent.given_at,
    });
    let about = [("person", person.map(Value::from)), ("identity", identity)];
    if let Value::Object(map) = &mut body {
        let about = about.into_iter();
        map.extend(about.filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    Ok(body)
}

async fn waiting(
    connection: &ConnectionArgs,
    caller: &mut Caller,
    out: &mut impl Write,
) -> Result<Outcome, ClientFault> {
    let own = own(connection, caller).await?;
    let said = get(connection, caller, "/v1/sealed-items".to_owned()).await?;
    print(connection, &said, out)?;
    if said.refused() {
        return Ok(Outcome::Refused);
    }
    if let (Ok(key), false) = (private_key(connection), connection.json) {
        let public = custody::public_key(&key).map_err(|_| ClientFault::NoCustodyKey)?;
        let spoken = pins::spoken(fingerprint(&own, &public));
        writeln!(
            out,
            "Your fingerprint, to be read over the telephone: {spoken}"
        )?;
    }
    Ok(Outcome::Done)
}

fn private_key(connection: &ConnectionArgs) -> Result<Zeroizing<[u8; 32]>, ClientFault> {
    let bundle = connection
        .bundle
        .as_ref()
        .ok_or(ClientFault::NoCustodyKey)?;
    let text = Zeroizing::new(super::read_text(&bundle.join(CUSTODY_KEY))?);
    unhex(text.trim()).ok_or(ClientFault::NoCustodyKey)
}

async fn collect(
    connection: &ConnectionArgs,
    caller: &mut Caller,
    id: &str,
    to: &Path,
    out: &mut impl Write,
) -> Result<Outcome, ClientFault> {
    // It is given once: what could stop it is found out before.
    let key = private_key(connection)?;
    let own = own(connection, caller).await?;
    let place = |error| ClientFault::File(to.to_owned(), std::io::Error::other(error));
    write_secret(to, b"").map_err(place)?;
    let opened = ask(connection, caller, id, &key, &own).await;
    let remove = || std::fs::remove_file(to);
    let (content, said) = match opened {
        Ok((Some(content), said)) => (content, said),
        Ok((None, said)) => {
            let _ = remove();
            print(connection, &said, out)?;
            return Ok(match said.refused() {
                true => Outcome::Refused,
                false => Outcome::Done,
            });
        }
        Err(fault) => {
            let _ = remove();
            return Err(fault);
        }
    };
    receipts::write_own(to, &content.to_page()?)?;
    if let Some(dir) = &connection.receipts {
        receipts::keep_all(dir, &said)?;
    }
    let service = said.text("/service").unwrap_or_default();
    let service: String = service.chars().filter(|c| !c.is_control()).collect();
    writeln!(
        out,
        "One item from {service} is in {}, which only you can read. It belongs in the privileged \
         file: move it there. The gateway has destroyed its own copy, and nobody can collect it \
         again. You may not pass it on, and may use it until {}.",
        to.display(),
        content.consent.until.as_deref().unwrap_or_default()
    )?;
    Ok(Outcome::Done)
}

/// Collects and opens; nothing if there is nothing.
async fn ask(
    connection: &ConnectionArgs,
    caller: &mut Caller,
    id: &str,
    key: &Zeroizing<[u8; 32]>,
    own: &OrgId,
) -> Result<(Option<Content>, Said), ClientFault> {
    let said = get(connection, caller, format!("/v1/sealed-items/{id}")).await?;
    let Some(sealed) = said.text("/sealed") else {
        return Ok((None, said));
    };
    let boxed = BASE64_STANDARD
        .decode(sealed)
        .map_err(|_| SealFault::Closed)?;
    let from = said.text("/from").and_then(|from| OrgId::parse(from).ok());
    let commitment = said.text("/commitment").and_then(unhex);
    let (from, commitment) = from.zip(commitment).ok_or(ClientFault::Reply)?;
    let binding = Binding {
        sender: &from,
        recipient: own,
        commitment: Commitment(*commitment),
    };
    let plain = custody::open_item(key, &binding, &boxed).map_err(|_| SealFault::Closed)?;
    let content = Content::from_plain(&plain, binding.commitment).ok_or(SealFault::Closed)?;
    let unfit = content.unfit(from.as_str(), own.as_str(), clock::now());
    match unfit.is_empty() {
        true => Ok((Some(content), said)),
        false => Err(SealFault::UnfitInside(unfit).into()),
    }
}

/// A fingerprint as it was typed: hyphens and spaces do not matter.
fn typed_fingerprint(text: &str) -> Result<Id, SealFault> {
    let plain: String = text.split_whitespace().collect();
    Id::parse(&plain).ok_or(SealFault::NotFingerprint)
}
