//! `firedoor client reconcile`: compares what was kept with the log; and after the gateway was
//! restored from a copy, hands in what was kept of the withdrawals taken since, and says that these
//! are all.
//!
//! It never says so by mistake: not if one of them was not taken, and not for an empty folder
//! unless it is told that there are none.

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::bundle::ConnectionArgs;
use super::caller::{BodyKind, Caller, Said};
use super::comparing::{CompareArgs, Compared, compare};
use super::receipts::{self, Withdrawal};
use super::{ClientFault, Outcome, Request, print, signed_in};
use crate::domain::time::When;

const PATH: &str = "/v1/reconciliations";
/// Withdrawals in one request.
const LINES_MAX: usize = 500;

/// What is said beside the withdrawals.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ReconcileArgs {
    /// There are more in another folder, or in your own system: do not say that these are all
    #[arg(long, conflicts_with = "none")]
    pub partly: bool,
    /// Your organisation has taken no withdrawal since the copy
    #[arg(long)]
    pub none: bool,
    #[command(flatten)]
    pub compare: CompareArgs,
}

/// What was done, and what is left.
#[derive(Default)]
struct Done {
    since: Option<String>,
    handed_in: usize,
    /// Files that the gateway did not take.
    not_taken: Vec<PathBuf>,
    /// The organisation's own are complete.
    complete: bool,
    /// It was waited for.
    waited_for: bool,
    open: bool,
    waits_for: u64,
    rolled_back: bool,
    /// The receipts and the log, if any are kept.
    compared: Option<Compared>,
}

/// The whole command: the signed head, then the withdrawals since the copy, then that it is all.
pub(super) async fn reconcile(
    connection: &ConnectionArgs,
    caller: &mut Caller,
    args: &ReconcileArgs,
    out: &mut impl Write,
) -> Result<Outcome, ClientFault> {
    let dir = connection.receipts_dir().ok_or(ClientFault::NoReceipts)?;
    let kept = receipts::withdrawals(&dir)?;
    let mut done = Done::default();
    // First, because it may bring to light that the gateway lost something.
    if let Some((_, note)) = receipts::newest_head(&dir)? {
        let said = post(connection, caller, &json!({ "checkpoint": note })).await?;
        if said.refused() {
            return refused(connection, &said, out);
        }
        done.hear(&said);
    }
    let me = caller.get("/v1/me").await?;
    if me.refused() {
        return refused(connection, &me, out);
    }
    let own = me.text("/organisation").unwrap_or_default();
    let bundle = connection.bundle.as_deref();
    done.compared = compare(caller, own, &dir, bundle, &args.compare).await?;
    let Some(since) = me.text("/restoration/since").map(str::to_owned) else {
        return done.tell(connection, args, out);
    };
    done.open = true;
    done.waits_for = number(&me, "/restoration/waits_for");
    done.waited_for = me.body.pointer("/restoration/waits_for_you") == Some(&json!(true));
    let from = When::parse(&since).unwrap_or(When::from_millis(0));
    done.since = Some(since);
    let wanted: Vec<&Withdrawal> = kept.iter().filter(|one| one.at >= from).collect();
    for some in wanted.chunks(LINES_MAX) {
        hand_in(connection, caller, some, &mut done).await?;
    }
    let all = done.not_taken.is_empty() && !args.partly && (args.none || done.handed_in > 0);
    if all && done.waited_for {
        let said = post(connection, caller, &json!({ "complete": true })).await?;
        if said.refused() {
            return refused(connection, &said, out);
        }
        done.complete = true;
        done.hear(&said);
    }
    connection.keep_session(caller)?;
    done.tell(connection, args, out)
}

async fn post(
    connection: &ConnectionArgs,
    caller: &mut Caller,
    body: &Value,
) -> Result<Said, ClientFault> {
    signed_in(connection, caller, &Request::post(PATH, body)).await
}

/// Some withdrawals in one request, one a line; their receipts are kept.
async fn hand_in(
    connection: &ConnectionArgs,
    caller: &mut Caller,
    some: &[&Withdrawal],
    done: &mut Done,
) -> Result<(), ClientFault> {
    let lines = some
        .iter()
        .map(|one| format!("{}\n", json!({ "replay": one.replay })));
    let request = Request {
        body: Some(lines.collect::<String>().into_bytes()),
        kind: BodyKind::Lines,
        ..Request::get(PATH)
    };
    let said = signed_in(connection, caller, &request).await?;
    if let Some(dir) = connection.receipts_dir() {
        receipts::keep_all(&dir, &said)?;
    }
    let bodies = said.bodies();
    for (place, one) in some.iter().enumerate() {
        let result = bodies.get(place).and_then(|body| body.get("result"));
        match result.and_then(Value::as_str) {
            Some("withdrawal-taken-again") => done.handed_in += 1,
            Some(_) | None => done.not_taken.push(one.file.clone()),
        }
    }
    Ok(())
}

fn number(said: &Said, pointer: &str) -> u64 {
    said.body
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or(0)
}

fn refused(
    connection: &ConnectionArgs,
    said: &Said,
    out: &mut impl Write,
) -> Result<Outcome, ClientFault> {
    print(connection, said, out)?;
    Ok(Outcome::Refused)
}

impl Done {
    /// What the gateway said of how far it has come.
    fn hear(&mut self, said: &Said) {
        let is = |pointer| said.body.pointer(pointer) == Some(&json!(true));
        self.open = is("/open");
        self.waits_for = number(said, "/waits_for");
        self.rolled_back |= is("/rolled_back");
    }

    fn tell(
        &self,
        connection: &ConnectionArgs,
        args: &ReconcileArgs,
        out: &mut impl Write,
    ) -> Result<Outcome, ClientFault> {
        let says = self.says(args);
        let compared = self.compared.as_ref();
        if connection.json {
            let told = json!({
                "says": says,
                "log": compared.map(Compared::json),
                "since": self.since,
                "handed_in": self.handed_in,
                "not_taken": self.not_taken,
                "complete": self.complete,
                "open": self.open,
                "waits_for": self.waits_for,
                "rolled_back": self.rolled_back,
            });
            writeln!(out, "{told}")?;
        } else {
            for line in compared.map(Compared::lines).unwrap_or_default() {
                writeln!(out, "{line}")?;
            }
            writeln!(out, "{says}")?;
            for file in &self.not_taken {
                writeln!(out, "  not taken: {}", file.display())?;
            }
        }
        let left = self.waited_for && !self.complete && !args.partly;
        let differs = compared.is_some_and(|compared| !compared.is_whole());
        Ok(match left || differs {
            true => Outcome::Refused,
            false => Outcome::Done,
        })
    }

    /// One sentence.
    fn says(&self, args: &ReconcileArgs) -> String {
        let Some(since) = &self.since else {
            return "The gateway is not collecting withdrawals; nothing had to be handed in."
                .to_owned();
        };
        let number = |count: usize| match count {
            1 => "1 withdrawal".to_owned(),
            count => format!("{count} withdrawals"),
        };
        if !self.not_taken.is_empty() {
            return format!(
                "{} were handed in, and {} of those kept since {since} were not taken: look at \
                 the files, then run this again; your organisation is not done.",
                number(self.handed_in),
                self.not_taken.len(),
            );
        }
        let handed_in = format!("Handed in {} taken since {since}", number(self.handed_in));
        let left = match (self.open, self.waits_for) {
            (false, _) => "the gateway shows information again".to_owned(),
            (true, 1) => "the gateway still waits for 1 organisation".to_owned(),
            (true, count) => format!("the gateway still waits for {count} organisations"),
        };
        if self.complete {
            return format!("{handed_in}; your organisation is done, and {left}.");
        }
        if !self.waited_for {
            return format!("{handed_in}; your organisation was not waited for, and {left}.");
        }
        if args.partly {
            return format!(
                "{handed_in}; run this without --partly when these are all, as {left}."
            );
        }
        format!(
            "No withdrawal taken since {since} is kept here: name the right folder with --receipts, \
             or, if your organisation took none, say --none; {left}."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(done: &Done, args: &ReconcileArgs) -> String {
        done.says(args)
    }

    #[test]
    fn it_says_in_one_sentence_what_was_done_and_what_is_left() {
        let args = ReconcileArgs::default();
        let mut done = Done::default();
        let mut told = vec![says(&done, &args)];
        done.since = Some("2026-04-10T12:00:00.000Z".to_owned());
        (done.open, done.waits_for, done.waited_for) = (true, 3, true);
        told.push(says(&done, &args));
        done.handed_in = 2;
        let partly = ReconcileArgs {
            partly: true,
            ..ReconcileArgs::default()
        };
        told.push(says(&done, &partly));
        (done.complete, done.waits_for) = (true, 2);
        told.push(says(&done, &args));
        (done.open, done.waits_for) = (false, 0);
        told.push(says(&done, &args));
        done.complete = false;
        done.not_taken.push(PathBuf::from("A.withdrawal"));
        told.push(says(&done, &args));
        insta::assert_snapshot!(told.join("\n"), @"
        The gateway is not collecting withdrawals; nothing had to be handed in.
        No withdrawal taken since 2026-04-10T12:00:00.000Z is kept here: name the right folder with --receipts, or, if your organisation took none, say --none; the gateway still waits for 3 organisations.
        Handed in 2 withdrawals taken since 2026-04-10T12:00:00.000Z; run this without --partly when these are all, as the gateway still waits for 3 organisations.
        Handed in 2 withdrawals taken since 2026-04-10T12:00:00.000Z; your organisation is done, and the gateway still waits for 2 organisations.
        Handed in 2 withdrawals taken since 2026-04-10T12:00:00.000Z; your organisation is done, and the gateway shows information again.
        2 withdrawals were handed in, and 1 of those kept since 2026-04-10T12:00:00.000Z were not taken: look at the files, then run this again; your organisation is not done.
        ");
    }
}
