//! Whatever comes in, nothing panics and every promise of `entry.rs` holds: for the fixed corpus, and for what proptest
//! makes of it. A file of the corpus that a fuzzer found is a test for ever.

mod entry;

use proptest::collection::vec;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

/// The files of `corpus/NAME`, in order.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/input/corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), std::fs::read(file).expect("a file"))).collect()
}

#[test]
fn the_corpus_breaks_no_promise() {
    for (name, enter) in entry::ALL {
        let files = corpus(name);
        assert!(files.len() >= 5, "{name} has {} files", files.len());
        for (file, bytes) in files {
            println!("{}", file.display());
            enter(&bytes);
        }
    }
}

#[test]
fn every_cut_of_the_corpus_breaks_no_promise() {
    for (name, enter) in entry::ALL {
        for (_, bytes) in corpus(name) {
            let lengths = bytes.len().min(600);
            (0..lengths).filter_map(|length| bytes.get(..length)).for_each(enter);
        }
    }
}

/// A file of the corpus with some of its bytes replaced, added or left out.
fn mutated(name: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let files: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, bytes)| bytes).collect();
    (proptest::sample::select(files), vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 1..8)).prop_map(
        |(mut bytes, changes)| {
            for (place, kind, byte) in changes {
                let place = place.index(bytes.len() + 1);
                match kind {
                    0 => bytes.insert(place, byte),
                    1 if place < bytes.len() => bytes[place] = byte,
                    _ if place < bytes.len() => drop(bytes.remove(place)),
                    _ => bytes.push(byte),
                }
            }
            bytes
        },
    )
}

/// JSON with members that are asked for, and anything in them.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| format!("{value:e}")),
        ".*".prop_map(|text: String| serde_json::Value::from(text).to_string()),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]{5,9}Z?)?".prop_map(|text| format!("{text:?}")),
        Just(r#""\u0000""#.to_owned()),
    ];
    let value = leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|all| format!("[{}]", all.join(","))),
            inner.prop_map(|one| format!(r#"{{"a":{one}}}"#)),
        ]
    });
    const NAMES: [&str; 11] = [
        "address",
        "Suburb",
        "weeklyRentAmount",
        "leaseStartDate",
        "rowVersion",
        "amount",
        "paymentDate",
        "PaymentMethod",
        "paymentMethodId",
        "notes",
        "other",
    ];
    vec((proptest::sample::select(&NAMES[..]), value), 0..12).prop_map(|members| {
        let members: Vec<String> = members.into_iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_break_a_promise(bytes in vec(any::<u8>(), 0..300)) {
        entry::ALL.iter().for_each(|(_, enter)| enter(&bytes));
    }

    #[test]
    fn no_text_breaks_a_promise(text in "\\PC*") {
        entry::ALL.iter().for_each(|(_, enter)| enter(text.as_bytes()));
    }

    #[test]
    fn no_token_like_text_gets_in(parts in vec("[A-Za-z0-9_-]{0,40}", 0..5)) {
        entry::token(parts.join(".").as_bytes());
    }

    #[test]
    fn no_change_to_a_token_gets_in(bytes in mutated("token")) {
        entry::token(&bytes);
    }

    #[test]
    fn no_target_breaks_a_promise(
        path in "(/api)?(/(properties|payments|paymentmethods|cache|[0-9a-fA-F-]{36}|[ -~]{0,8})){0,5}/?",
        query in "((pageNumber|pageSize|searchTerm|SORTFIELD|sortDescending|x)=([0-9+-]{0,20}|%[0-9A-F]{2}|[!-~]{0,20})&?){0,6}",
    ) {
        entry::target(format!("{path}?{query}").as_bytes());
    }

    #[test]
    fn no_change_to_a_target_breaks_a_promise(bytes in mutated("target")) {
        entry::target(&bytes);
    }

    #[test]
    fn no_change_to_a_header_breaks_a_promise(bytes in mutated("header")) {
        entry::header(&bytes);
    }

    #[test]
    fn no_json_breaks_a_promise(text in json()) {
        entry::body(text.as_bytes());
    }

    #[test]
    fn no_change_to_a_body_breaks_a_promise(bytes in mutated("body")) {
        entry::body(&bytes);
    }

    #[test]
    fn no_change_to_an_entry_breaks_a_promise(bytes in mutated("envelope")) {
        entry::envelope(&bytes);
    }

    #[test]
    fn no_change_to_a_pattern_breaks_a_promise(bytes in mutated("pattern")) {
        entry::pattern(&bytes);
    }
}
