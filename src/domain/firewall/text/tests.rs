//! What the built-in word list holds and lets pass, and laws over all texts.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static SCREEN: LazyLock<TextScreen> =
    LazyLock::new(|| TextScreen::parse(&Lists::BUILT_IN).unwrap());

fn held(text: &str) -> Option<Held> {
    match SCREEN.read(text) {
        Finding::Clean => None,
        Finding::Held(held) => Some(held),
    }
}

/// Statements in many wordings. None is a real person's.
const EXPLICIT: [&str; 30] = [
    "Her visa expired.",
    "She has no recourse to public funds.",
    "Client NRPF, cannot access refuge.",
    "He says her papers ran out two years ago.",
    "Granted indefinite leave to remain in May.",
    "She has settled status through her mother.",
    "Awaiting outcome of her asylum claim.",
    "Failed asylum seeker, further submissions lodged.",
    "Overstayed since 2019.",
    "Wife is here illegally.",
    "MVDAC granted last week.",
    "Came on a fiancee visa.",
    "Her BRP is with the perpetrator.",
    "She is waiting to hear if she can remain here.",
    "Leave expires 3/27.",
    "30 months granted last week.",
    "Her stay is tied to his job.",
    "No access to state support because of her status.",
    "Insecure immigration status disclosed to GP.",
    "Detained at Harmondsworth for a month.",
    "Sponsorship licence of the care home was revoked.",
    "She applied for naturalisation.",
    "Wife's entry clearance granted 2021.",
    "Has been served removal papers.",
    "GWF012345678 on the letter.",
    "UAN 1111-2222-3333-4444.",
    "Her passport no is 999000111.",
    "Appeal PA/54321/2022 listed for June.",
    "see her_visa_expired_2024.pdf",
    "scan herVisaExpired.pdf on file",
];

const PROXY: [&str; 12] = [
    "He will have her sent back to her country.",
    "One word from me and you're on a plane, he said.",
    "Afraid that police will tell the Home Office.",
    "Caseworker at Migrant Help is aware.",
    "Housing officer from Mears attended.",
    "Came over the Channel in a small boat.",
    "Her sponsor is the perpetrator.",
    "Kept her passport and documents.",
    "Signs every month at a centre.",
    "Told her she'd be detained within a day.",
    "Immigration came to the takeaway.",
    "He threatens to get her thrown out of the country.",
];

const BENIGN: [&str; 44] = [
    "Visa card declined at the till.",
    "Paid by Visa at the chemist.",
    "A Visa statement came in his name.",
    "She is on annual leave until 3rd, manager knows.",
    "Leave a message with her mum only.",
    "Wants to leave the house while he works.",
    "Marital status: separated.",
    "Status: open. Next action due Friday.",
    "Vic stayed with her sister and will remain there until Monday.",
    "She settled in well at the new flat.",
    "The deposit dispute was settled by letter.",
    "Illegal eviction by landlord, council informed.",
    "He parked illegally across her drive.",
    "Says she has no recourse but to change schools.",
    "Their border collie was hurt too.",
    "She was handed court papers by a process server.",
    "NA sponsor is supportive.",
    "Applied for an extension of the non-molestation order.",
    "Parking permit expired so she got a ticket.",
    "Suspect was detained under s136 and taken to a place of safety.",
    "He was sent back to prison on recall.",
    "She was sent home from hospital with painkillers.",
    "She has the right to stay in the family home under an occupation order.",
    "He signs on at the job centre each fortnight.",
    "A senior citizen with two cats.",
    "Citizens Advice appointment booked.",
    "Works from home office upstairs.",
    "Tribunal found for her in the PIP appeal.",
    "Interpreter by phone please, same one as last time.",
    "Thank you for raising the issue with the council.",
    "The pervasive use of trackers is an issue.",
    "Took refuge at a neighbour's.",
    "ICE contact saved in her phone is an aunt.",
    "Officer asked: ARE you alone?",
    "She lifted her sleeve; lift informed engineer is out of order.",
    "NHS no. 999 000 0018, NI QQ 12 34 56 C.",
    "Call 020 7946 0123 between 10 and 12 only.",
    "Crime ref 07/99881/25, exhibit AB/1.",
    "Bank card 4000 0000 0000 0002 used by him.",
    "Dr Visram at the surgery knows her situation.",
    "Mr Nass and Ms Asif are the neighbours.",
    "Ilir Dervishi is the support worker, Mrs Mears next door is a safe contact.",
    "Her friend Praxis Okoye can take messages.",
    "Her name is Олена Шевченко.",
];

#[test]
fn explicit_statements_are_held() {
    for text in EXPLICIT {
        let held = held(text).unwrap_or_else(|| panic!("passed: {text}"));
        assert_eq!(held.label, Label::Explicit, "{text}: {:?}", held.rules);
    }
}

#[test]
fn strong_proxies_are_held() {
    for text in PROXY {
        assert!(held(text).is_some(), "passed: {text}");
    }
}

#[test]
fn ordinary_notes_and_names_pass() {
    for text in BENIGN {
        assert_eq!(held(text).map(|held| held.rules), None, "{text}");
    }
    let note = BENIGN.join(" ");
    assert_eq!(held(&note).map(|held| held.rules), None);
}

#[test]
fn the_author_is_shown_the_words_and_the_whole_sentence_is_marked() {
    let text = "Locks changed. Her visa expired in May. Call after six.";
    let held = held(text).unwrap();
    assert_eq!(held.words_in(text), ["visa expired"]);
    assert_eq!(held.spans, [Span { start: 15, end: 39 }]);
    assert!(
        held.suggestion.contains("specialist legal advice"),
        "{}",
        held.suggestion
    );
}

#[test]
fn spans_count_code_points_of_the_original_text() {
    let text = "Zoë 🙂 rang.\nHer v\u{ad}i\u{ad}s\u{ad}a is up.";
    let held = held(text).unwrap();
    assert_eq!(held.words_in(text), ["v\u{ad}i\u{ad}s\u{ad}a"]);
    assert_eq!(held.spans, [Span { start: 12, end: 30 }]);
}

#[test]
fn a_disguise_does_not_help() {
    for text in [
        "her v i s a expired",
        "her i m m i g r a t i o n status",
        "h.e.r v.i.s.a h.a.s e.x.p.i.r.e.d",
        "imm1gr4t10n st4tus uncl3ar",
        "imigration staus unclear",
        "immgrtn prblms",
        "her vi-\nsa is up",
        "leave\nto\nremain",
        "she is an over stayer",
        "her &#118;isa is up",
        "her %76%69%73%61 is up",
        r"her \u0076\u0069\u0073\u0061 is up",
        "her v<b></b>i<i></i>sa is up",
        "aGVyIHZpc2EgZXhwaXJlZA== noted",
        "her νιsа is up",
        "𝐡𝐞𝐫 𝐯𝐢𝐬𝐚 𝐢𝐬 𝐮𝐩",
        "noitargimmi no deniater",
        "vzzvtengvba fgnghf",
        "asilo político solicitado",
        "bez wizy od roku",
    ] {
        assert!(held(text).is_some(), "passed: {text}");
    }
}

#[test]
fn text_that_cannot_be_read_is_held_unread() {
    let long = "a ".repeat(TEXT_BYTES_MAX);
    for text in [
        long.as_str(),
        "abc \u{202e}fed",
        "она просит помощи у полиции",
    ] {
        let held = held(text).unwrap();
        assert_eq!(held.label, Label::Unreadable);
        let advice = held.suggestion;
        assert!(advice.contains("plain English") || advice.contains("English only"));
    }
    assert_eq!(held(&"calm ".repeat(TEXT_BYTES_MAX / 5)), None);
}

#[test]
fn a_screen_that_fails_holds_the_whole_text() {
    let finding = SCREEN.or_held("five.", || panic!("a fault of the screen"));
    let Finding::Held(held) = finding else {
        panic!("passed")
    };
    assert_eq!(held.label, Label::Unreadable);
    assert_eq!(held.spans, [Span { start: 0, end: 5 }]);
    assert!(!held.suggestion.is_empty());
}

#[test]
fn too_little_fuel_holds_the_text() {
    let (finding, _) = SCREEN.read_with("All is well.", 3);
    let Finding::Held(held) = finding else {
        panic!("passed")
    };
    assert_eq!(
        (held.label, held.rules),
        (Label::Unreadable, vec!["too-costly".to_owned()])
    );
}

#[test]
fn the_longest_honest_text_needs_two_thirds_of_the_fuel() {
    for bytes in [1_000, 4_000, 16_000, 64_000] {
        let note: String = BENIGN
            .iter()
            .filter(|text| text.is_ascii())
            .cycle()
            .flat_map(|text| text.chars().chain([' ']))
            .take(bytes)
            .collect();
        let (finding, spent) = SCREEN.read_with(&note, u32::MAX);
        assert_eq!(finding, Finding::Clean);
        assert!(spent < fuel_for(&note) / 3 * 2, "{bytes} bytes: {spent}");
    }
}

#[test]
fn a_mask_never_hides_its_neighbour() {
    for text in [
        "Visa card stopped and her visa expired.",
        "Her visa expired, Visa card stopped.",
        "Annual leave booked, leave to remain refused.",
        "On Asylum Road she said her asylum claim failed.",
        "Known status epilepticus, immigration status unknown.",
        "Senior citizen, applied for citizenship.",
        "No visa\ncard payments stopped",
    ] {
        assert!(held(text).is_some(), "passed: {text}");
    }
}

#[test]
fn weak_proxies_add_up() {
    assert_eq!(held("No passport."), None);
    assert!(held("Arrived last year, no passport, no documents.").is_some());
}

#[test]
fn bad_word_lists_are_refused_with_the_rule_named() {
    for (list, complaint) in [
        ("version = 3", "the word list has no 'version'"),
        ("x", "not TOML"),
        ("version = \"1\"", "no 'suggestions'"),
        (
            "version = \"1\"\nb = []\nc = []\n[suggestions]\ngeneral = \"x\"\n[[a]]\nid = \"r\"\nmatch = [\"~2 x\"]\n[words]",
            "rule 'r': '~2 x': a pattern begins",
        ),
    ] {
        let lists = Lists {
            lexicon: list,
            ..Lists::BUILT_IN
        };
        let error = TextScreen::parse(&lists).err().unwrap().to_string();
        assert!(error.contains(complaint), "{error}");
    }
}

#[test]
fn the_version_names_every_list_and_the_weights() {
    let built_in = Lists::BUILT_IN;
    let version = |lists: &Lists<'_>| TextScreen::parse(lists).unwrap().version().to_owned();
    let known = version(&built_in);
    assert!(known.starts_with("20") && known.len() < 32, "{known}");
    let mut weights = built_in.weights.to_vec();
    *weights.last_mut().unwrap() ^= 1;
    let longer = |text: &str| format!("{text}\n# one more\n");
    for other in [
        version(&Lists {
            lexicon: &longer(built_in.lexicon),
            ..built_in
        }),
        version(&Lists {
            general: &longer(built_in.general),
            ..built_in
        }),
        version(&Lists {
            concepts: &longer(built_in.concepts),
            ..built_in
        }),
        version(&Lists {
            weights: &weights,
            ..built_in
        }),
    ] {
        assert_ne!(other, known);
    }
    let short = Lists {
        weights: &built_in.weights[1..],
        ..built_in
    };
    assert_eq!(
        TextScreen::parse(&short).err(),
        Some(BadLexicon::BadWeights)
    );
}

#[test]
fn a_general_sentence_passes_only_whole_and_word_for_word() {
    let general = "We accept women with no recourse to public funds.";
    assert_eq!(held(general), None);
    assert_eq!(
        held(&format!(
            "Vic safe. {} Call after six.",
            general.to_uppercase()
        )),
        None
    );
    for text in [
        "We accept women with no recourse to public funds and she is one.",
        "We accept a woman with no recourse to public funds.",
        "We accept women with no recourse to public funds. She has none.\nNRPF",
        "We accept women with no recourse to public funds\u{200b}\u{200b}x\u{200b}y.",
    ] {
        assert!(held(text).is_some(), "passed: {text}");
    }
    let held = held(&format!("{general} Her visa expired.")).unwrap();
    assert_eq!(held.spans, [Span { start: 50, end: 67 }]);
}

#[test]
fn other_languages_are_held_and_call_me_is_offered() {
    for text in [
        "ella dice que no quiere volver con su marido",
        "mąż zabrał jej telefon i nie pozwala wychodzić z domu",
        "kocası onu her gün dövüyor ve evden çıkmasına izin vermiyor",
        "burri e rreh çdo natë dhe fëmijët kanë frikë",
        "waxay u baahan tahay guri badbaado leh",
        "il mari la frappe tous les soirs devant les enfants",
    ] {
        let held = held(text).unwrap_or_else(|| panic!("passed: {text}"));
        assert!(
            held.rules.contains(&"language".to_owned()),
            "{text}: {:?}",
            held.rules
        );
        assert!(held.suggestion.contains("call me"), "{text}");
    }
}

#[test]
fn english_with_foreign_names_words_and_short_forms_passes() {
    for text in [
        "Mrs Oluwaseun Adebayo-Krzyzanowska and Nguyen Thi Hoa are neighbours.",
        "He called her habibti then puta in front of the kids.",
        "Left biryani and jollof rice at the door, she won't eat it.",
        "IP s/w DA svc, DASH 16, OIC d/w CPS re NMO, appt w/ IDVA tmrw.",
        "abuela minds the kids",
    ] {
        assert_eq!(held(text).map(|held| held.rules), None, "{text}");
    }
}

#[test]
fn what_no_list_names_is_held_by_what_was_learned() {
    let screen = &SCREEN;
    let text = "Kids fine. They told her at the desk she has to be gone by the end of March as they are not letting her carry on here. Call after six.";
    let Finding::Held(held) = screen.read(text) else {
        panic!("passed")
    };
    assert_eq!(held.rules, ["classifier"]);
    assert_eq!(held.spans.len(), 1);
    assert_eq!(held.words, held.spans);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_makes_it_panic_and_spans_stay_within_the_text(text in any::<String>()) {
        if let Finding::Held(held) = SCREEN.read(&text) {
            let end = u32::try_from(text.chars().count()).unwrap();
            for span in held.spans.iter().chain(&held.words) {
                prop_assert!(span.start < span.end && span.end <= end, "{span:?} of {end}");
            }
            prop_assert!(held.spans.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert_eq!(held.words_in(&text).len(), held.words.len());
        }
    }

    #[test]
    fn no_text_of_awkward_pieces_makes_it_panic(pieces in proptest::collection::vec(
        prop_oneof![
            Just("visa"), Just("no recourse"), Just("<b"), Just(">"), Just("&#x"), Just("%7"), Just("="), Just("\\u00"),
            Just("-\n"), Just(". "), Just(" "), Just("a b c d "), Just("1111"), Just("\u{200b}"), Just("\u{301}"), Just("ﷺ"),
            Just("🇬🇧"), Just("aGVyIHZpc2E"), Just("’"), Just("签证"), Just("İ"),
        ], 0..40)
    ) {
        let text = pieces.concat();
        if let Finding::Held(held) = SCREEN.read(&text) {
            let end = u32::try_from(text.chars().count()).unwrap();
            prop_assert!(held.spans.iter().chain(&held.words).all(|span| span.end <= end));
        }
    }

    #[test]
    fn benign_text_around_a_statement_never_clears_it(
        explicit in proptest::sample::select(EXPLICIT.as_slice()),
        before in proptest::sample::subsequence(BENIGN.as_slice(), 0..6),
        after in proptest::sample::subsequence(BENIGN.as_slice(), 0..6),
        joint in proptest::sample::select([" ", "\n", "\r\n\r\n"].as_slice()),
    ) {
        let text = [before, vec![explicit], after].concat().join(joint);
        prop_assert!(held(&text).is_some(), "{text}");
    }

    #[test]
    fn no_line_around_a_statement_clears_it(
        explicit in proptest::sample::select(EXPLICIT.as_slice()),
        before in any::<String>(),
        after in any::<String>(),
    ) {
        let text = format!("{before}\n{explicit}\n{after}");
        prop_assert!(held(&text).is_some(), "{text}");
    }

    #[test]
    fn every_held_statement_lies_within_the_marked_sentences(
        explicit in proptest::sample::select(EXPLICIT.as_slice()),
        before in proptest::sample::select(BENIGN.as_slice()),
    ) {
        let held = held(&format!("{before}\n{explicit}")).unwrap();
        let start = u32::try_from(before.chars().count() + 1).unwrap();
        prop_assert!(held.spans.iter().any(|span| span.start <= start + 20 && span.end > start));
        prop_assert!(held.spans.iter().all(|span| span.start >= start), "{:?}", held.spans);
    }
}
