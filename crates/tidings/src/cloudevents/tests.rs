//! Both modes, ours and other people's records, and that nothing gets lost on the way through.

use proptest::prelude::*;

use super::*;

fn record(headers: &[(&str, &str)], value: Option<&str>) -> Record {
    let header =
        |(n, v): &(&str, &str)| ((*n).to_owned(), Some(Bytes::copy_from_slice(v.as_bytes())));
    Record {
        topic: "orders".into(),
        value: value.map(|v| Bytes::copy_from_slice(v.as_bytes())),
        headers: headers.iter().map(header).collect(),
        ..Record::default()
    }
}

const REQUIRED: [(&str, &str); 4] =
    [("ce_specversion", "1.0"), ("ce_id", "a-1"), ("ce_source", "/python"), ("ce_type", "t.v1")];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    REQUIRED.iter().copied().chain(more.iter().copied()).collect()
}

#[test]
fn a_record_that_is_no_event_says_why() {
    let without = |name: &str| -> Vec<(&str, &str)> {
        REQUIRED.iter().copied().filter(|(n, _)| *n != name).collect()
    };
    let structured = "application/cloudevents+json; charset=UTF-8";
    let rows: Vec<(Record, &str)> = vec![
        (record(&[], Some("{}")), "the record has no CloudEvents attributes"),
        (record(&[("content-type", "application/json")], None), "no CloudEvents attributes"),
        (record(&without("ce_id"), None), "the required attribute `id` is missing"),
        (record(&without("ce_source"), None), "the required attribute `source` is missing"),
        (record(&without("ce_type"), None), "the required attribute `type` is missing"),
        (record(&without("ce_specversion"), None), "attribute `specversion` is missing"),
        (record(&[("ce_specversion", "1.0"), ("ce_id", "")], None), "attribute `id` is empty"),
        (record(&[("ce_specversion", "0.3")], None), "CloudEvents version `0.3` is unknown"),
        (record(&[("content-type", "application/cloudevents-batch+json")], Some("[]")), "a batch"),
        (record(&[("content-type", "application/cloudevents+avro")], Some("x")), "+avro` are not"),
        (record(&[("content-type", structured)], None), "has no value"),
        (record(&[("content-type", structured)], Some("{")), "not a CloudEvents JSON object"),
        (record(&[("content-type", structured)], Some("[1]")), "not a CloudEvents JSON object"),
        (record(&[("content-type", structured)], Some("{}")), "`specversion` is missing"),
    ];
    for (record, expected) in rows {
        let error = CloudEvent::from_record(&record).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn an_attribute_that_is_no_text_is_named() {
    let mut record = record(&REQUIRED, None);
    record.headers[3].1 = Some(Bytes::from_static(&[0xff]));
    let error = CloudEvent::from_record(&record).unwrap_err();
    assert_eq!(error, NotAnEvent::NotText { name: "type".into() });
}

#[test]
fn headers_are_met_in_any_case() {
    let headers = [
        ("CE_SpecVersion", "1.0"),
        ("Ce_Id", "a-1"),
        ("CE_SOURCE", "/python"),
        ("ce_TYPE", "t.v1"),
        ("Content-Type", "application/json"),
        ("CE_MyTenant", "7"),
    ];
    let event = CloudEvent::from_record(&record(&headers, Some("1"))).unwrap();
    assert_eq!((event.id.as_str(), event.ty.as_str()), ("a-1", "t.v1"));
    assert_eq!(event.extensions["mytenant"], "7");
    assert_eq!(event.datacontenttype.as_deref(), Some("application/json"));
}

#[test]
fn what_cannot_be_an_attribute_stays_a_header() {
    let mut record = record(
        &with(&[("ce_under_score", "x"), ("ce_", "y"), ("ce_id", "second"), ("plain", "z")]),
        Some("1"),
    );
    record.headers.push(("ce_binary".into(), Some(Bytes::from_static(&[0xff, 0]))));
    record.headers.push(("ce_nothing".into(), None));
    let event = CloudEvent::from_record(&record).unwrap();
    assert_eq!(event.id.as_str(), "a-1");
    let names: Vec<&str> = event.headers.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["ce_under_score", "ce_", "ce_id", "plain", "ce_binary", "ce_nothing"]);
    let again = Record { headers: event.to_headers(), ..record };
    assert_eq!(CloudEvent::from_record(&again).unwrap(), event);
}

#[test]
fn a_null_value_is_a_tombstone_and_an_empty_one_is_not() {
    let tombstone = CloudEvent::from_record(&record(&REQUIRED, None)).unwrap();
    assert_eq!(tombstone.data, None);
    let empty = CloudEvent::from_record(&record(&REQUIRED, Some(""))).unwrap();
    assert_eq!(empty.data, Some(Bytes::new()));
}

#[test]
fn structured_mode_is_found_by_its_content_type_in_any_case() {
    let json = r#"{"specversion":"1.0","id":"b","source":"/s","type":"t.v1","shard":7,
                   "flag":true,"gone":null,"data":{"n":1.50}}"#;
    let headers = [("Content-Type", "Application/CloudEvents+JSON"), ("ce_id", "x"), ("h", "1")];
    let event = CloudEvent::from_record(&record(&headers, Some(json))).unwrap();
    assert_eq!(event.data.as_deref(), Some(&b"{\"n\":1.50}"[..]));
    assert_eq!(event.datacontenttype.as_deref(), Some("application/json"));
    assert_eq!((&*event.extensions["shard"], &*event.extensions["flag"]), ("7", "true"));
    assert!(!event.extensions.contains_key("gone"));
    assert_eq!(event.header_text("h"), Some("1"));
    assert_eq!(event.headers.len(), 1);
}

#[test]
fn an_unknown_format_with_attributes_in_headers_is_passed_on_as_binary() {
    let headers = with(&[("content-type", "application/cloudevents+avro")]);
    let event = CloudEvent::from_record(&record(&headers, Some("x"))).unwrap();
    assert_eq!(event.datacontenttype.as_deref(), Some("application/cloudevents+avro"));
}

#[test]
fn json_data_means_what_the_format_says() {
    let rows = [
        (r#""data":{"a":1}"#, None, r#"{"a":1}"#),
        (r#""data":"text""#, None, r#""text""#),
        (r#""data":"text","datacontenttype":"text/plain""#, Some("text/plain"), "text"),
        (r#""data":{"a":1},"datacontenttype":"text/xml""#, Some("text/xml"), r#"{"a":1}"#),
        (r#""data_base64":"aGk=""#, None, "hi"),
        (r#""data":null"#, None, "null"),
    ];
    for (member, content_type, data) in rows {
        let json = format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t",{member}}}"#);
        let event = CloudEvent::from_json(&json).unwrap();
        assert_eq!(event.data.as_deref(), Some(data.as_bytes()), "{member}");
        if let Some(expected) = content_type {
            assert_eq!(event.datacontenttype.as_deref(), Some(expected));
        }
    }
}

#[test]
fn wrong_json_events_say_what_is_wrong() {
    let rows = [
        (r#""id":"1","id":"2""#, "the attribute `id` is given twice"),
        (r#""data":1,"data_base64":"aGk=""#, "`data` and `data_base64` exclude each other"),
        (r#""data_base64":"%""#, "`data_base64` is no base64"),
        (r#""data_base64":1"#, "`data_base64` is not a string"),
        (r#""Upper":"x""#, "the attribute `Upper` has a name"),
        (r#""list":[1]"#, "the attribute `list` is neither text, number nor boolean"),
    ];
    for (member, expected) in rows {
        let id = if member.contains("\"id\"") { "" } else { r#""id":"1","# };
        let json = format!(r#"{{"specversion":"1.0",{id}"source":"/s","type":"t",{member}}}"#);
        let error = CloudEvent::from_json(&json).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn data_that_is_no_json_is_written_as_base64() {
    let mut event = CloudEvent::from_record(&record(&REQUIRED, Some("{broken"))).unwrap();
    assert_eq!(event.to_json()["data_base64"], "e2Jyb2tlbg==");
    event.data = Some("{\n\"a\": 1}".into());
    assert_eq!(event.to_json()["data"]["a"], 1);
    assert!(!event.to_json_string().contains('\n'));
}

#[test]
fn names_of_extensions_are_checked() {
    assert_eq!(check_extension("tenant7", "x"), Ok(()));
    let refused = ["", "Tenant", "ten-ant", "ce_x", "ü", "id", "data", "specversion"];
    assert!(refused.iter().all(|name| check_extension(name, "x").is_err()));
    assert!(check_extension("tenant", "a\nb").is_err());
}

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9/ü\"\\\\ .-]{1,12}"
}

fn event() -> impl Strategy<Value = CloudEvent> {
    let header = ("[a-z-]{1,8}", proptest::option::of(any::<Vec<u8>>().prop_map(Bytes::from)));
    let data = prop_oneof![
        Just(None),
        any::<Vec<u8>>().prop_map(|v| Some(Bytes::from(v))),
        (any::<i64>(), text()).prop_map(|(n, t)| {
            Some(Bytes::from(serde_json::json!({ "n": n, "t": t }).to_string()))
        }),
    ];
    (
        (text(), text(), text()),
        proptest::array::uniform3(proptest::option::of(text())),
        proptest::option::of(prop_oneof![Just("application/json"), Just("text/plain")]),
        proptest::collection::btree_map("x[a-z0-9]{0,5}", text(), 0..4),
        data,
        proptest::collection::vec(header, 0..4),
    )
        .prop_map(|(ids, options, content, extensions, data, headers)| {
            let ((id, source, ty), [subject, time, schema]) = (ids, options);
            CloudEvent {
                id: id.into(),
                source,
                ty,
                subject,
                time,
                datacontenttype: content.map(str::to_owned),
                dataschema: schema,
                extensions,
                data,
                headers: headers.into_iter().filter(|(n, _)| n != "content-type").collect(),
            }
        })
}

proptest! {
    #[test]
    fn binary_mode_keeps_everything(event in event()) {
        let record = Record {
            value: event.data.clone(),
            headers: event.to_headers(),
            ..Record::default()
        };
        prop_assert_eq!(CloudEvent::from_record(&record).unwrap(), event);
    }

    #[test]
    fn a_foreign_record_survives_reading_and_publishing(
        event in event(),
        foreign in proptest::collection::vec(
            ("[cC][eE]_[a-zA-Z0-9_-]{0,6}|[a-zA-Z-]{1,8}", proptest::option::of(any::<Vec<u8>>())),
            0..6,
        ),
    ) {
        let mut headers = event.to_headers();
        headers.extend(foreign.into_iter().map(|(n, v)| (n, v.map(Bytes::from))));
        let record = Record { value: event.data.clone(), headers, ..Record::default() };
        if let Ok(read) = CloudEvent::from_record(&record) {
            let again = Record { headers: read.to_headers(), ..record.clone() };
            // Names of attributes are lower-case when written; nothing else may differ.
            let sorted = |headers: &Headers| {
                let mut all = headers.clone();
                all.sort();
                all
            };
            let lower = |headers: &Headers, read: &CloudEvent| {
                headers.iter().map(|(n, v)| {
                    let kept = read.headers.iter().any(|h| (&h.0, &h.1) == (n, v));
                    (if kept { n.clone() } else { n.to_ascii_lowercase() }, v.clone())
                }).collect::<Headers>()
            };
            prop_assert_eq!(sorted(&again.headers), sorted(&lower(&record.headers, &read)));
            prop_assert_eq!(CloudEvent::from_record(&again).unwrap(), read);
        }
    }

    #[test]
    fn the_json_format_keeps_everything_but_headers(event in event()) {
        let declared = event.datacontenttype.clone().or_else(|| {
            let json = event.to_json();
            json.get("data").map(|_| "application/json".to_owned())
        });
        let expected = CloudEvent { headers: vec![], datacontenttype: declared, ..event.clone() };
        let line = event.to_json_string();
        prop_assert!(!line.contains('\n'));
        let read = CloudEvent::from_json(&line).unwrap();
        prop_assert_eq!(&read, &expected);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(value, event.to_json());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
        let structured = Some(Bytes::from_static(STRUCTURED_CONTENT_TYPE.as_bytes()));
        let record = Record {
            value: Some(bytes.into()),
            headers: vec![("content-type".into(), structured)],
            ..Record::default()
        };
        let _ = CloudEvent::from_record(&record);
    }
}
