//! Words of referrals: codes as people read them, boroughs, languages, and lists to choose from.

/// Codes whose words are not the code with spaces.
pub const SAID: &[(&str, &str)] = &[
    ("housing_safe", "A safe place to live"),
    ("emotional", "Emotional support"),
    ("mh_talking", "Talking therapy"),
    ("mh_clinical", "Clinical mental health care"),
    ("legal_family", "Legal advice: family"),
    ("legal_criminal_court", "Legal advice: criminal court"),
    ("legal_advice_other", "Other legal advice"),
    ("debt_benefits", "Debt and benefits"),
    ("substance", "Drugs or alcohol"),
    ("child_support", "Support for her children"),
    ("safety_device", "Safety device"),
    ("court_support", "Support at court"),
    ("pretrial_therapy", "Therapy before trial"),
    ("accessibility", "Access needs"),
    ("accommodation_based", "Somewhere to stay"),
    ("community_based_and_recovery", "Support in the community"),
    ("open_access", "Open to everybody"),
    ("behaviour_change", "Behaviour change"),
    ("prevention_awareness", "Prevention"),
    ("bsl", "British Sign Language"),
    ("via_worker", "Through a worker she trusts"),
    ("email", "E-mail"),
    ("text", "Text message"),
    ("phone", "Phone call"),
    ("in_person", "In person"),
    ("none_used", "None"),
    ("lip_speaker", "Lip speaker"),
    ("step_free", "Step-free access"),
    ("partners_relative", "Her partner's relative"),
    ("adult_child", "Her grown-up child"),
    ("follows_or_watches", "Follows or watches her"),
    ("threatens_children", "Threatens the children"),
    ("threatens_suicide", "Threatens suicide"),
    ("broke_order", "Broke an order"),
    ("works_for_agency", "Works for an agency"),
    ("others_act_too", "Others act too"),
    ("strangled", "Has strangled her"),
    ("safelives_dash_24", "SafeLives Dash, 24 questions"),
    ("dash_27", "Dash, 27 questions"),
    ("dara", "DARA"),
    ("dash_ye", "Dash for young people"),
    ("on_time", "In time"),
];

/// London's boroughs, by GSS code (ONS).
const BOROUGHS: [(&str, &str); 33] = [
    ("E09000001", "City of London"),
    ("E09000002", "Barking and Dagenham"),
    ("E09000003", "Barnet"),
    ("E09000004", "Bexley"),
    ("E09000005", "Brent"),
    ("E09000006", "Bromley"),
    ("E09000007", "Camden"),
    ("E09000008", "Croydon"),
    ("E09000009", "Ealing"),
    ("E09000010", "Enfield"),
    ("E09000011", "Greenwich"),
    ("E09000012", "Hackney"),
    ("E09000013", "Hammersmith and Fulham"),
    ("E09000014", "Haringey"),
    ("E09000015", "Harrow"),
    ("E09000016", "Havering"),
    ("E09000017", "Hillingdon"),
    ("E09000018", "Hounslow"),
    ("E09000019", "Islington"),
    ("E09000020", "Kensington and Chelsea"),
    ("E09000021", "Kingston upon Thames"),
    ("E09000022", "Lambeth"),
    ("E09000023", "Lewisham"),
    ("E09000024", "Merton"),
    ("E09000025", "Newham"),
    ("E09000026", "Redbridge"),
    ("E09000027", "Richmond upon Thames"),
    ("E09000028", "Southwark"),
    ("E09000029", "Sutton"),
    ("E09000030", "Tower Hamlets"),
    ("E09000031", "Waltham Forest"),
    ("E09000032", "Wandsworth"),
    ("E09000033", "Westminster"),
];

/// Languages that services meet most, by their tags (BCP 47), and without a country.
const LANGUAGES: [(&str, &str); 42] = [
    ("en", "English"),
    ("sq", "Albanian"),
    ("am", "Amharic"),
    ("ar", "Arabic"),
    ("bn", "Bengali or Sylheti"),
    ("bg", "Bulgarian"),
    ("yue", "Cantonese"),
    ("zh", "Chinese (Mandarin)"),
    ("cs", "Czech"),
    ("prs", "Dari"),
    ("nl", "Dutch"),
    ("fr", "French"),
    ("de", "German"),
    ("el", "Greek"),
    ("gu", "Gujarati"),
    ("he", "Hebrew"),
    ("hi", "Hindi"),
    ("hu", "Hungarian"),
    ("it", "Italian"),
    ("ku", "Kurdish"),
    ("ln", "Lingala"),
    ("lt", "Lithuanian"),
    ("fa", "Persian (Farsi)"),
    ("ps", "Pashto"),
    ("pl", "Polish"),
    ("pt", "Portuguese"),
    ("pa", "Punjabi"),
    ("ro", "Romanian"),
    ("ru", "Russian"),
    ("sk", "Slovak"),
    ("so", "Somali"),
    ("es", "Spanish"),
    ("sw", "Swahili"),
    ("tl", "Tagalog"),
    ("ta", "Tamil"),
    ("ti", "Tigrinya"),
    ("tr", "Turkish"),
    ("tw", "Twi"),
    ("uk", "Ukrainian"),
    ("ur", "Urdu"),
    ("vi", "Vietnamese"),
    ("yo", "Yoruba"),
];

fn found<'a>(table: &'a [(&str, &'a str)], code: &str) -> Option<&'a str> {
    let found = table.iter().find(|(known, _)| *known == code);
    found.map(|(_, words)| *words)
}

/// A borough by its code; one that we have no name for is shown as its code.
pub fn borough(code: &str) -> String {
    found(&BOROUGHS, code).unwrap_or(code).to_owned()
}

/// To choose a borough from.
pub const fn boroughs() -> &'static [(&'static str, &'static str)] {
    &BOROUGHS
}

/// A language by its tag.
pub fn language(tag: &str) -> String {
    found(&LANGUAGES, tag).unwrap_or(tag).to_owned()
}

/// To choose a language from.
pub const fn languages() -> &'static [(&'static str, &'static str)] {
    &LANGUAGES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_or_language_without_a_name_here_is_shown_by_its_code() {
        assert_eq!(borough("E09000022"), "Lambeth");
        assert_eq!(borough("E06000043"), "E06000043");
        assert_eq!(language("ur"), "Urdu");
        assert_eq!(language("gsw"), "gsw");
    }
}
