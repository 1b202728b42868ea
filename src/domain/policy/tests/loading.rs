//! What must not load, and what happens when a policy fails.

use super::*;

fn load_with(name: &str, text: &str) -> Result<Unproved, BadPolicies> {
    let (schema, files) = Policies::shipped_files();
    let mut files: Vec<(&str, &str)> = files.to_vec();
    files.push((name, text));
    Unproved::load(schema, &files)
}

fn problems(outcome: Result<Unproved, BadPolicies>) -> String {
    match outcome {
        Ok(_) => "loaded".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_policy_that_fails_refuses_even_what_others_permit() {
    // It divides the world at one purpose: every other ask is decided as before.
    let policies = load_with(
        "80-broken.cedar",
        r#"@id("broken") @says("Overflows.")
        forbid (principal, action, resource)
        when { context.purpose == Purpose::"safety_planning" && 9223372036854775807 + 1 > 0 };"#,
    )
    .unwrap()
    .assume_proved();
    let mut ask = query();
    assert_eq!(why(&policies, &ask), None);
    ask.purpose = Purpose::SafetyPlanning;
    assert_eq!(why(&shipped(), &ask), None);
    let denied = authorise(&policies, &ask, ()).unwrap_err();
    assert_eq!(denied.why, DeniedWhy::PolicyFailed);
}

#[test]
fn a_policy_that_fails_on_a_plain_request_does_not_load() {
    let outcome = load_with(
        "80-broken.cedar",
        r#"@id("broken") @says("Overflows.")
        forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };"#,
    );
    assert!(problems(outcome).contains("a policy fails on it"));
}

#[test]
fn a_policy_that_would_let_the_home_office_read_does_not_load() {
    let outcome = load_with(
        "15-home-office.cedar",
        r#"@id("home-office.read") @says("Lets them read.")
        permit (principal, action == Action::"read_referral", resource)
        when { principal.organisation.kind == OrgKind::"immigration_enforcement" };"#,
    );
    insta::assert_snapshot!(problems(outcome), @r#"
    the policies do not load:
    15-home-office.cedar: policy `home-office.read`: entity `OrgKind::"immigration_enforcement"` is of an enumerated entity type, but `"immigration_enforcement"` is not declared as a valid eid
    "#);
    let purpose = load_with(
        "15-home-office.cedar",
        r#"@id("home-office.purpose") @says("Lets them read.")
        permit (principal, action in Action::"Reads", resource)
        when { context.purpose == Purpose::"immigration_control" };"#,
    );
    insta::assert_snapshot!(problems(purpose), @r#"
    the policies do not load:
    15-home-office.cedar: policy `home-office.purpose`: entity `Purpose::"immigration_control"` is of an enumerated entity type, but `"immigration_control"` is not declared as a valid eid
    "#);
    let entity = load_with(
        "15-home-office.cedar",
        r#"@id("home-office.reader") @says("Lets them read.")
        permit (principal is HomeOffice, action in Action::"Reads", resource);"#,
    );
    insta::assert_snapshot!(problems(entity), @"
    the policies do not load:
    15-home-office.cedar: policy `home-office.reader`: policy is impossible: the policy expression evaluates to false for all valid requests
    15-home-office.cedar: policy `home-office.reader`: unable to find an applicable action given the policy scope constraints
    15-home-office.cedar: policy `home-office.reader`: unrecognized entity type `HomeOffice`
    ");
}

#[test]
fn a_schema_that_lists_immigration_enforcement_does_not_load() {
    let (schema, files) = Policies::shipped_files();
    let widened = schema.replacen("[\"police\"", "[\"immigration_enforcement\", \"police\"", 1);
    assert_ne!(schema, widened);
    insta::assert_snapshot!(problems(Unproved::load(&widened, files)), @"
    the policies do not load:
    schema.cedarschema: OrgKind lists `immigration_enforcement`, which this program does not know
    ");
    let narrowed = schema.replacen("\"nhs_gp\", ", "", 1);
    assert!(problems(Unproved::load(&narrowed, files)).contains("does not list `nhs_gp`"));
    let extra =
        format!("{schema}\naction spy appliesTo {{ principal: [Worker], resource: [Gateway] }};");
    assert!(problems(Unproved::load(&extra, files)).contains("lists `spy`"));
}

#[test]
fn what_is_not_in_order_does_not_load() {
    let cases = [
        (
            "91-firewall-more.cedar",
            r#"@id("x") @says("X.") permit (principal, action, resource);"#,
        ),
        (
            "80-x.cedar",
            r#"@id("F02.immigration-never") @says("X.") forbid (principal, action, resource) when { context.emergencyConfirmed };"#,
        ),
        (
            "80-x.cedar",
            r#"@id("x") @says("X.") permit (principal == ?principal, action, resource);"#,
        ),
        (
            "80-x.cedar",
            r#"@says("X.") permit (principal, action, resource);"#,
        ),
        (
            "80-x.cedar",
            r#"@id("x") permit (principal, action, resource);"#,
        ),
        (
            "80-x.cedar",
            r#"@id("x") @says("X.") @about("caller") permit (principal, action, resource);"#,
        ),
        ("80-x.cedar", "permit (principal, action"),
        (
            "80-x.cedar",
            r#"@id("x") @says("X.") forbid (principal, action, resource) when { false };"#,
        ),
        (
            "80-x.cedar",
            r#"@id("x") @says("X.") forbid (principal, action, resource) when { context.consent.live };"#,
        ),
        (
            "80-x.cedar",
            r#"@id("x") @says("X.") permit (principal, action == Action::"export_all", resource);"#,
        ),
        ("90-firewall.cedar", ""),
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|(name, text)| problems(load_with(name, text)))
        .map(|text| text.lines().skip(1).collect::<Vec<_>>().join("\n"))
        .collect();
    insta::assert_snapshot!(said.join("\n--\n"), @r#"
    91-firewall-more.cedar: policy `x` permits; the firewall file forbids only
    --
    80-x.cedar: policy `F02.immigration-never` is also in 90-firewall.cedar
    --
    80-x.cedar: policy `x` is a template; templates are refused
    --
    80-x.cedar: a policy has no @id of a-z, A-Z, 0-9, '.' and '-':
    @says("X.") permit (principal, action, resource);
    --
    80-x.cedar: policy `x` has no @says, the sentence that it enforces
    --
    80-x.cedar: policy `x`: @about is for forbids, and its only value is "caller"
    --
    80-x.cedar: unexpected end of input
    --
    80-x.cedar: policy `x`: policy is impossible: the policy expression evaluates to false for all valid requests
    --
    80-x.cedar: policy `x`: unable to guarantee safety of access to optional attribute `consent` in context for Action::"accept_referral"
    80-x.cedar: policy `x`: unable to guarantee safety of access to optional attribute `consent` in context for Action::"add_device"
    80-x.cedar: policy `x`: unable to guarantee safety of access to optional attribute `consent` in context for Action::"add_note"
    80-x.cedar: policy `x`: and 57 more
    --
    80-x.cedar: policy `x`: policy is impossible: the policy expression evaluates to false for all valid requests
    80-x.cedar: policy `x`: unable to find an applicable action given the policy scope constraints
    80-x.cedar: policy `x`: unrecognized action `Action::"export_all"`
    --
    90-firewall.cedar: two files have this name
    "#);
    let (schema, files) = Policies::shipped_files();
    let without: Vec<(&str, &str)> = files
        .iter()
        .copied()
        .filter(|(name, _)| !name.contains("firewall"))
        .collect();
    assert!(problems(Unproved::load(schema, &without)).contains("no file has `firewall`"));
}

#[test]
fn the_hash_follows_names_and_contents_but_not_order() {
    let (schema, files) = Policies::shipped_files();
    let base = Unproved::load(schema, files).unwrap().hash();
    let mut turned = files.to_vec();
    turned.reverse();
    assert_eq!(Unproved::load(schema, &turned).unwrap().hash(), base);
    let mut renamed = files.to_vec();
    renamed[0].0 = "11-referral.cedar";
    assert_ne!(Unproved::load(schema, &renamed).unwrap().hash(), base);
    let commented = format!("{schema}\n// dated");
    assert_ne!(Unproved::load(&commented, files).unwrap().hash(), base);
}
