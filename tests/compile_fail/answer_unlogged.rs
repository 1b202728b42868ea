//~ E0451
// What leaves the gateway is made of a logged decision only.
use firedoor::domain::alias::Aliases;
use firedoor::domain::answer::Answer;
use firedoor::domain::receipt::Receipt;
use firedoor::domain::time::When;
use firedoor::pipeline::Answered;

pub fn answer(answer: Answer, receipt: Receipt, at: When, aliases: Aliases) -> Answered {
    let (opened, entries, counterfoil) = (Vec::new(), Vec::new(), None);
    let more = Default::default();
    Answered { answer, opened, entries, more, receipt, at, aliases, counterfoil, _logged: () }
}
