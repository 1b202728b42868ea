//! What is answered: to the letter, in JSON and XML, and without anything of her.

use super::*;

fn acceptance(left_behind: &[String]) -> Acceptance<'_> {
    Acceptance {
        bundle_id: "00000000-0000-4000-8000-000000000001",
        header_id: "00000000-0000-4000-8000-000000000002",
        outcome_id: "00000000-0000-4000-8000-000000000003",
        encounter_id: "00000000-0000-4000-8000-000000000004",
        at: When::from_millis(1_795_000_000_000),
        message_id: Some("4f9be0d0-0000-4000-8000-00000000aaaa"),
        reply_to: Some("https://fhir.nhs.uk/Id/dos-service-id|2000054321?a=1&b=2"),
        source: "https://fhir.nhs.uk/Id/dos-service-id|2000012345",
        says: "recorded",
        referral: Some("7QF42KD0000000000000000000"),
        receipt: None,
        replay: None,
        support_code: "K7Q2M",
        left_behind,
    }
}

#[test]
fn an_accepted_message_is_answered_as_bars_does() {
    let left = ["Patient.communication".to_owned()];
    let with = acceptance(&left);
    let json: serde_json::Value = serde_json::from_slice(&accepted(&with, Format::Json)).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @r#"
    {
      "resourceType": "Bundle",
      "id": "00000000-0000-4000-8000-000000000001",
      "type": "message",
      "timestamp": "2026-11-18T11:06:40.000Z",
      "entry": [
        {
          "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000002",
          "resource": {
            "resourceType": "MessageHeader",
            "id": "00000000-0000-4000-8000-000000000002",
            "eventCoding": {
              "system": "https://fhir.nhs.uk/CodeSystem/message-events-bars",
              "code": "servicerequest-response"
            },
            "destination": [
              {
                "endpoint": "https://fhir.nhs.uk/Id/dos-service-id|2000054321?a=1&b=2"
              }
            ],
            "source": {
              "endpoint": "https://fhir.nhs.uk/Id/dos-service-id|2000012345"
            },
            "reason": {
              "coding": [
                {
                  "system": "https://fhir.nhs.uk/CodeSystem/message-reason-bars",
                  "code": "new"
                }
              ]
            },
            "response": {
              "identifier": "4f9be0d0-0000-4000-8000-00000000aaaa",
              "code": "ok",
              "details": {
                "reference": "urn:uuid:00000000-0000-4000-8000-000000000003"
              }
            },
            "focus": [
              {
                "reference": "urn:uuid:00000000-0000-4000-8000-000000000004"
              }
            ]
          }
        },
        {
          "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000004",
          "resource": {
            "resourceType": "Encounter",
            "id": "00000000-0000-4000-8000-000000000004",
            "identifier": [
              {
                "system": "urn:firedoor:referral",
                "value": "7QF42KD0000000000000000000"
              }
            ],
            "status": "planned",
            "class": {
              "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
              "code": "VR"
            }
          }
        },
        {
          "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000003",
          "resource": {
            "resourceType": "OperationOutcome",
            "id": "00000000-0000-4000-8000-000000000003",
            "issue": [
              {
                "severity": "information",
                "code": "informational",
                "diagnostics": "recorded; support code K7Q2M"
              },
              {
                "severity": "information",
                "code": "suppressed",
                "diagnostics": "these elements have no place here: they were not read, not kept and not passed on",
                "expression": [
                  "Patient.communication"
                ]
              }
            ]
          }
        }
      ]
    }
    "#);
    let xml = String::from_utf8(accepted(&with, Format::Xml)).unwrap();
    insta::assert_snapshot!(xml.replace("><", ">\n<"), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <Bundle xmlns="http://hl7.org/fhir">
    <id value="00000000-0000-4000-8000-000000000001"/>
    <type value="message"/>
    <timestamp value="2026-11-18T11:06:40.000Z"/>
    <entry>
    <fullUrl value="urn:uuid:00000000-0000-4000-8000-000000000002"/>
    <resource>
    <MessageHeader>
    <id value="00000000-0000-4000-8000-000000000002"/>
    <eventCoding>
    <system value="https://fhir.nhs.uk/CodeSystem/message-events-bars"/>
    <code value="servicerequest-response"/>
    </eventCoding>
    <destination>
    <endpoint value="https://fhir.nhs.uk/Id/dos-service-id|2000054321?a=1&amp;b=2"/>
    </destination>
    <source>
    <endpoint value="https://fhir.nhs.uk/Id/dos-service-id|2000012345"/>
    </source>
    <reason>
    <coding>
    <system value="https://fhir.nhs.uk/CodeSystem/message-reason-bars"/>
    <code value="new"/>
    </coding>
    </reason>
    <response>
    <identifier value="4f9be0d0-0000-4000-8000-00000000aaaa"/>
    <code value="ok"/>
    <details>
    <reference value="urn:uuid:00000000-0000-4000-8000-000000000003"/>
    </details>
    </response>
    <focus>
    <reference value="urn:uuid:00000000-0000-4000-8000-000000000004"/>
    </focus>
    </MessageHeader>
    </resource>
    </entry>
    <entry>
    <fullUrl value="urn:uuid:00000000-0000-4000-8000-000000000004"/>
    <resource>
    <Encounter>
    <id value="00000000-0000-4000-8000-000000000004"/>
    <identifier>
    <system value="urn:firedoor:referral"/>
    <value value="7QF42KD0000000000000000000"/>
    </identifier>
    <status value="planned"/>
    <class>
    <system value="http://terminology.hl7.org/CodeSystem/v3-ActCode"/>
    <code value="VR"/>
    </class>
    </Encounter>
    </resource>
    </entry>
    <entry>
    <fullUrl value="urn:uuid:00000000-0000-4000-8000-000000000003"/>
    <resource>
    <OperationOutcome>
    <id value="00000000-0000-4000-8000-000000000003"/>
    <issue>
    <severity value="information"/>
    <code value="informational"/>
    <diagnostics value="recorded; support code K7Q2M"/>
    </issue>
    <issue>
    <severity value="information"/>
    <code value="suppressed"/>
    <diagnostics value="these elements have no place here: they were not read, not kept and not passed on"/>
    <expression value="Patient.communication"/>
    </issue>
    </OperationOutcome>
    </resource>
    </entry>
    </Bundle>
    "#);
    for never in ["total", "versionId", "lastUpdated", "Patient\""] {
        assert!(!xml.contains(never) && !json.to_string().contains(never));
    }
}

#[test]
fn a_reply_that_must_not_tell_has_no_referral() {
    let mut with = acceptance(&[]);
    with.referral = None;
    let text = String::from_utf8(accepted(&with, Format::Json)).unwrap();
    assert!(!text.contains("Encounter") && !text.contains("focus") && !text.contains("suppressed"));
    with.receipt = Some("one line");
    let text = String::from_utf8(accepted(&with, Format::Xml)).unwrap();
    assert!(text.contains(
        "<extension url=\"urn:firedoor:receipt\"><valueString value=\"one line\"/></extension>"
    ));
}

#[test]
fn a_refusal_is_an_operation_outcome_that_names_the_element() {
    let problem = new(NEW_JSON, Format::Json).consent.needed();
    let id = "00000000-0000-4000-8000-000000000009";
    let json: serde_json::Value =
        serde_json::from_slice(&outcome(&problem, id, "K7Q2M", Format::Json)).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @r#"
    {
      "resourceType": "OperationOutcome",
      "id": "00000000-0000-4000-8000-000000000009",
      "issue": [
        {
          "severity": "error",
          "code": "business-rule",
          "details": {
            "coding": [
              {
                "system": "https://fhir.nhs.uk/CodeSystem/http-error-codes",
                "code": "REC_UNPROCESSABLE_ENTITY"
              }
            ]
          },
          "diagnostics": "Consent.policyRule: consent-needed: for this service you must record her explicit consent (OPTIN), or record that she declined (support code K7Q2M)",
          "expression": [
            "Consent.policyRule"
          ]
        }
      ]
    }
    "#);
    let xml = String::from_utf8(outcome(&problem, id, "K7Q2M", Format::Xml)).unwrap();
    insta::assert_snapshot!(xml.replace("><", ">\n<"), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <OperationOutcome xmlns="http://hl7.org/fhir">
    <id value="00000000-0000-4000-8000-000000000009"/>
    <issue>
    <severity value="error"/>
    <code value="business-rule"/>
    <details>
    <coding>
    <system value="https://fhir.nhs.uk/CodeSystem/http-error-codes"/>
    <code value="REC_UNPROCESSABLE_ENTITY"/>
    </coding>
    </details>
    <diagnostics value="Consent.policyRule: consent-needed: for this service you must record her explicit consent (OPTIN), or record that she declined (support code K7Q2M)"/>
    <expression value="Consent.policyRule"/>
    </issue>
    </OperationOutcome>
    "#);
}

#[test]
fn our_own_replies_are_well_formed_for_our_own_guards() {
    let with = acceptance(&[]);
    for format in [Format::Json, Format::Xml] {
        // Taken apart down to its focus: it is a response, and holds no request.
        let says = refusal(&String::from_utf8(accepted(&with, format)).unwrap(), format);
        assert!(says.contains("ServiceRequest"), "{says}");
    }
}
