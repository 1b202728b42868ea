//! What the API says is wrong with a field. It speaks to programs; this says it to whoever filled in a form.

/// How a message of the API begins, and what a person is told instead.
const PLAIN: [(&str, &str); 19] = [
    (
        "a relative interpreted",
        "A relative interpreted: ask her again with a professional interpreter. If she may want \
         something stopped, record that at once",
    ),
    ("this is not a code we know", "Choose one of these"),
    (
        "give date, time and offset",
        "Give a day, month and year that there are, such as 27 3 2026",
    ),
    (
        "must be a date such as",
        "Give a day, month and year that there are, such as 27 3 1988",
    ),
    (
        "only the senior on shift",
        "Only the senior on shift may do this: say that it is you",
    ),
    (
        "a grade that was judged",
        "Say why you graded so: choose at least one reason, or write one",
    ),
    (
        "name the organisations or families",
        "Say who may see it: a kind of service, or a service by its short name",
    ),
    (
        "a parent or guardian speaks",
        "Say whose word it is: her own, or a parent's for a child that cannot decide",
    ),
    (
        "give one of referral, person and identity",
        "Say who she is: at least a name",
    ),
    (
        "give her identity, your reference",
        "Say who she is, or give the code of her card: one of the two",
    ),
    (
        "this does not agree with the person of your referral",
        "This does not agree with what was released to you",
    ),
    ("there is no such service", "Choose a service of the list"),
    (
        "no words that are read to her",
        "These words have been replaced. Load the page again and read her the new ones",
    ),
    (
        "say how it is safe to reach her now",
        "Say how it is safe to reach her now. If you do not know, choose \"Stop calling\"",
    ),
    (
        "only with safe_contact_changed",
        "Only if how to reach her has changed. Choose that, or leave this empty",
    ),
    (
        "whoever sent this must not learn who you are",
        "Whoever sent this must not learn who you are, so it cannot call you. Choose another",
    ),
    (
        "only for keep_both",
        "Only if both work with her until a day. Choose that, or leave this empty",
    ),
    (
        "only with party_role child_victim",
        "Only for a child. Choose \"Child victim\" above, or leave this empty",
    ),
    (
        "must be phone, text, email",
        "Choose at least one way that is safe",
    ),
];

/// The same in a form's words, where only a part of it is for programs.
const PARTS: [(&str, &str); 5] = [
    ("send true", "tick the box"),
    ("or leave it out", "or leave it empty"),
    ("; leave it out", ". Leave it empty"),
    ("leave it out", "leave it empty"),
    ("via_worker", "through a worker"),
];

/// What is wrong with a field, for a person.
pub fn plainly(message: &str) -> String {
    if let Some((_, words)) = PLAIN.iter().find(|(start, _)| message.starts_with(start)) {
        return (*words).to_owned();
    }
    if message.contains("GSS code") {
        return "Choose a borough, or give the code of another district, such as E06000043"
            .to_owned();
    }
    if message.contains("GET /v1/") {
        return "Choose one of these".to_owned();
    }
    let mut message = message.to_owned();
    for (part, words) in PARTS {
        message = message.replace(part, words);
    }
    let mut letters = message.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_s_words_become_a_person_s() {
        for (message, said) in [
            (
                "this is not a code we know; GET /v1/codes lists them",
                "Choose one of these",
            ),
            ("no such reason; see GET /v1/codes", "Choose one of these"),
            (
                "ask her where nobody can hear or press her, then send true",
                "Ask her where nobody can hear or press her, then tick the box",
            ),
            (
                "who asks for herself needs none; leave it out",
                "Who asks for herself needs none. Leave it empty",
            ),
            ("this is before it was given", "This is before it was given"),
            ("", ""),
        ] {
            assert_eq!(plainly(message), said);
        }
    }
}
