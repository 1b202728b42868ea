//~ E0451
// What leaves the gateway is made of a logged decision only.
use firedoor::domain::answer::Answer;
use firedoor::domain::receipt::Receipt;
use firedoor::domain::time::When;
use firedoor::pipeline::Answered;

pub fn answer(answer: Answer, receipt: Receipt, at: When) -> Answered {
    Answered { answer, opened: Vec::new(), entries: Vec::new(), receipt, at, _logged: () }
}
