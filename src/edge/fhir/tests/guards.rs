//! What is more, less or other than a message is refused, and named.

use super::*;

#[test]
fn a_message_cut_anywhere_is_refused() {
    for (text, format) in ALL {
        let whole = text.trim_end().len();
        for cut in (0..whole).step_by(10) {
            assert!(
                read(&text.as_bytes()[..cut], format).is_err(),
                "{format:?} {cut}"
            );
        }
        assert!(read(text.as_bytes(), format).is_ok());
    }
}

#[test]
fn deep_nesting_is_refused_without_recursion_to_it() {
    let deep = 1_000;
    let xml = format!(
        "<Bundle xmlns=\"http://hl7.org/fhir\">{}{}</Bundle>",
        "<Bundle>".repeat(deep),
        "</Bundle>".repeat(deep)
    );
    assert!(refusal(&xml, Format::Xml).contains("more than 32 deep"));
    let narrative = format!(
        "<Bundle xmlns=\"http://hl7.org/fhir\"><text><div xmlns=\"http://www.w3.org/1999/xhtml\">{}",
        "<p>".repeat(deep)
    );
    assert!(refusal(&narrative, Format::Xml).contains("more than 32 deep"));
    for json in [
        "[".repeat(deep),
        "{\"a\":".repeat(deep),
        "[{\"a\":".repeat(deep),
    ] {
        let says = refusal(&json, Format::Json);
        assert!(
            says.contains("more than 16 deep") || says.contains("directly in a list"),
            "{says}"
        );
    }
    let objects = |count: usize| format!("{}1{}", "{\"a\":".repeat(count), "}".repeat(count));
    assert!(refusal(&objects(JSON_DEPTH_MAX), Format::Json).contains("must be there"));
    assert!(refusal(&objects(JSON_DEPTH_MAX + 1), Format::Json).contains("more than 16 deep"));
}

#[test]
fn xml_that_is_more_than_elements_and_values_is_refused() {
    let bundle = |inner: &str| format!("<Bundle xmlns=\"http://hl7.org/fhir\">{inner}</Bundle>");
    let many: String = (0..17).map(|at| format!(" xmlns:a{at}=\"b\"")).collect();
    insta::assert_snapshot!(
        [
            format!("<!DOCTYPE Bundle [<!ENTITY x \"y\">]>{}", bundle("<id value=\"&x;\"/>")),
            bundle("<id value=\"&x;\"/>"),
            bundle("&amp;"),
            bundle("text"),
            bundle("<![CDATA[text]]>"),
            bundle("<?php go?>"),
            bundle("<text><div xmlns=\"http://www.w3.org/1999/xhtml\">&nbsp;</div></text>"),
            bundle("<id value=\"a\" value=\"b\"/>"),
            bundle("<id value=\"a\" system=\"b\"/>"),
            bundle("<id value=\"<\"/>"),
            bundle("<id value=\"&#1;\"/>"),
            bundle("<id value=\"&#xD800;\"/>"),
            bundle("<entry><resource><Patient/><Patient/></resource></entry>"),
            bundle(&format!("<id{many}/>")),
            bundle("<x:id xmlns:x=\"urn:other\"/>"),
            bundle("<id>"),
            format!("{}{}", bundle(""), bundle("")),
            format!(" <?xml version=\"1.0\"?>{}", bundle("")),
            format!("<?xml version=\"1.0\" encoding=\"latin1\"?>{}", bundle("")),
            "<Bundle/>".to_owned(),
            String::new(),
        ]
        .map(|text| refusal(&text, Format::Xml))
        .join("\n"),
        @"
    400 Bundle: a document type is not allowed; leave it out
    400 Bundle.id: only the five entities of XML itself and character references are allowed
    400 Bundle: FHIR has no text between elements; put values into the value attribute
    400 Bundle: FHIR has no text between elements; put values into the value attribute
    400 Bundle: FHIR has no text between elements; put values into the value attribute
    400 Bundle: processing instructions are not allowed; leave them out
    400 Bundle.text: only the five entities of XML itself and character references are allowed
    400 Bundle.id: the body is not well-formed XML; check it with an XML parser
    400 Bundle.id: an element has an attribute that FHIR does not have; it may have value, url and id
    400 Bundle.id: the body is not well-formed XML; check it with an XML parser
    400 Bundle.id: a value holds control characters; only tab and line breaks are allowed
    400 Bundle.id: only the five entities of XML itself and character references are allowed
    400 Bundle.entry.resource: must hold one resource and nothing else
    400 Bundle.id: an element has more than 16 attributes
    400 Bundle: elements must be in the namespace http://hl7.org/fhir
    400 Bundle.id: the body is not well-formed XML; check it with an XML parser
    400 Bundle: there must be one root element and nothing after it
    400 Bundle: the XML declaration must come first and say version 1.0 and UTF-8
    400 Bundle: the XML declaration must come first and say version 1.0 and UTF-8
    400 Bundle: elements must be in the namespace http://hl7.org/fhir
    400 Bundle: the XML ends too early; send the whole message
    "
    );
    let prefixed = NEW_XML
        .replace("<", "<f:")
        .replace("<f:/", "</f:")
        .replace("<f:!--", "<!--")
        .replace("<f:?", "<?")
        .replace("<f:div xmlns=", "<div xmlns=")
        .replace("<f:p>", "<p>")
        .replace("</f:p>", "</p>")
        .replace("</f:div>", "</div>")
        .replace(
            "xmlns=\"http://hl7.org/fhir\"",
            "xmlns:f=\"http://hl7.org/fhir\"",
        );
    assert_eq!(
        told(&new(&prefixed, Format::Xml)),
        told(&new(NEW_XML, Format::Xml))
    );
    let marked = format!("\u{FEFF}{NEW_XML}");
    assert!(read(marked.as_bytes(), Format::Xml).is_ok());
}

#[test]
fn json_that_is_more_or_less_than_fhir_is_refused() {
    let bundle = |inner: &str| format!("{{\"resourceType\":\"Bundle\",{inner}}}");
    insta::assert_snapshot!(
        [
            bundle("\"id\":\"\\ud800\""),
            bundle("\"id\":\"\\udc00x\""),
            bundle("\"id\":\"\\u0000\""),
            bundle("\"id\":null"),
            bundle("\"id\":\"a\",\"id\":\"a\""),
            bundle("\"resourceType\":\"Bundle\""),
            bundle("\"entry\":[]"),
            bundle("\"entry\":[[1]]"),
            bundle("\"_entry\":[null]"),
            bundle("\"id\":\"a\",\"_id\":[{\"id\":\"b\"}]"),
            bundle("\"id\":{\"a\":1},\"_id\":{\"id\":\"b\"}"),
            bundle("\"a b\":1"),
            bundle("\"id\":1e999"),
            bundle("\"id\":01"),
            format!("{} x", bundle("\"id\":\"1\"")),
            "{\"resourceType\":7}".to_owned(),
            "\"Bundle\"".to_owned(),
            String::new(),
        ]
        .map(|text| refusal(&text, Format::Json))
        .join("\n"),
        @r#"
    400 Bundle.id: a \u escape is half of a surrogate pair; write both halves or the character itself
    400 Bundle.id: a \u escape is half of a surrogate pair; write both halves or the character itself
    400 Bundle.id: a value holds control characters; only tab and line breaks are allowed
    400 Bundle: null stands where a value must be; leave the name out
    400 Bundle.id: a name is given twice in one object; give it once
    400 Bundle.resourceType: a name is given twice in one object; give it once
    400 Bundle.entry: a list is empty; leave the name out
    400 Bundle.entry: a list stands directly in a list, which FHIR does not have
    400 Bundle: null stands where a value must be; leave the name out
    400 Bundle: the names with and without an underscore do not pair up (FHIR R4 JSON, primitive elements)
    400 Bundle: the names with and without an underscore do not pair up (FHIR R4 JSON, primitive elements)
    400 Bundle: an element's name is not one that FHIR could have
    400 Bundle.id: the body is not JSON; check it with a JSON parser
    400 Bundle.id: the body is not JSON; check it with a JSON parser
    400 Bundle: the body is not JSON; check it with a JSON parser
    400 Bundle.resourceType: must be text
    400 resourceType: must be there: send one resource of FHIR R4
    400 Bundle: the JSON ends too early; send the whole message
    "#
    );
    for format in [Format::Json, Format::Xml] {
        let problem = read(b"{\"resourceType\":\"\xff\"}", format).err().unwrap();
        assert!(problem.to_string().contains("not UTF-8"));
        let problem = read(&vec![b' '; BODY_BYTES_MAX + 1], format).err().unwrap();
        assert_eq!(problem.kind().status(), 413);
    }
    let many: Vec<String> = (0..200).map(|at| format!("\"a{at}\":1")).collect();
    assert!(refusal(&bundle(&many.join(",")), Format::Json).contains("more kinds of element"));
}

#[test]
fn a_refusal_repeats_no_value() {
    for (from, to) in [
        ("\"gender\": \"female\"", "\"gender\": \"SECRET\""),
        ("\"gender\": \"female\"", "\"gender\": \"SECRET\\ud800\""),
        ("\"birthDate\": \"1988-02-29\"", "\"birthDate\": \"SECRET\""),
        (
            "\"authoredOn\": \"2026-11-20T14:30:00+00:00\"",
            "\"authoredOn\": \"SECRET\"",
        ),
        ("\"type\": \"message\"", "\"type\": \"SECRET\""),
        ("\"gender\": \"female\"", "\"SECRET NAME\": \"female\""),
    ] {
        let problem = read(with(from, to).as_bytes(), Format::Json).err().unwrap();
        assert!(!problem.to_string().contains("SECRET"), "{problem}");
    }
}

#[test]
fn a_content_type_gives_the_format() {
    for (text, format) in [
        ("application/fhir+json", Some(Format::Json)),
        ("application/fhir+json;version=1.0.0", Some(Format::Json)),
        ("Application/JSON; charset=UTF-8", Some(Format::Json)),
        ("application/fhir+xml; fhirVersion=4.0", Some(Format::Xml)),
        ("text/xml; charset=\"utf-8\"", Some(Format::Xml)),
        ("application/fhir+xml; fhirVersion=3.0", None),
        ("application/fhir+xml; charset=utf-16", None),
        ("text/html", None),
        ("", None),
    ] {
        assert_eq!(Format::of_content_type(text).ok(), format, "{text}");
    }
}
