//! Search: which members, which characters, in which company.

use serde_json::json;

use crate::api::lists::{addresses, at, by_address, frame, page, payments};
use crate::support::{empty_database, payments_path, scratch, trials, world};

trials![
    search_finds_a_part_of_each_named_member,
    search_looks_at_no_other_member,
    search_ignores_case_in_every_script,
    search_finds_a_capital_sharp_s_by_each_of_its_spellings,
    search_folds_every_character_as_unicode_does,
    the_migration_folds_existing_rows_anew,
    search_takes_wildcards_literally,
    search_reads_plus_as_a_space_and_percent_codes,
    a_short_search_term_works_too,
    an_empty_search_term_finds_everything,
    search_and_order_and_pages_go_together,
    odd_search_terms_do_no_harm,
    search_finds_payments_by_method_reference_and_notes,
];

fn search_finds_a_part_of_each_named_member() {
    let who = world().tenant();
    let members =
        ["address", "suburb", "state", "postCode", "description", "propertyManager", "propertyManagerContact"];
    for (number, member) in members.iter().enumerate() {
        let mut body = json!({ "address": format!("{number}") });
        body[*member] = format!("{number}xNEEDyDLE").chars().take(10).collect::<String>().into();
        who.property(&body);
    }
    for (number, member) in members.iter().enumerate() {
        let found = who.get(&format!("/api/properties?searchTerm={number}xNEEDyDL")).is(200).json();
        assert_eq!(found["totalCount"], 1, "{member}");
        assert_eq!(found["items"][0][*member], format!("{number}xNEEDyDLE").chars().take(10).collect::<String>());
    }
    assert_eq!(page(&who, "searchTerm=needyd")["totalCount"], members.len());
}

fn search_looks_at_no_other_member() {
    let who = world().tenant();
    let id = who.property(&json!({ "address": "Main St", "weeklyRentAmount": 77777, "leaseStartDate": "2025-03-01" }));
    for term in ["77777", "2025", &id, &id[..8]] {
        assert_eq!(page(&who, &format!("searchTerm={term}"))["totalCount"], 0, "{term}");
    }
}

fn search_ignores_case_in_every_script() {
    let who = world().tenant();
    for (address, term) in [
        ("MAIN street", "mAiN%20StReEt"),
        // Grosse Aue, Ulica Zhukova, Odos Athinas: with umlauts, Cyrillic, Greek.
        ("GROSSE \u{c4}U\u{d6}", "%C3%A4u%C3%B6"),
        ("\u{443}\u{43b}\u{438}\u{446}\u{430} \u{416}", "%D0%A3%D0%9B%D0%98%D0%A6%D0%90%20%D0%B6"),
        ("\u{39f}\u{394}\u{39f}\u{3a0}", "%CE%BF%CE%B4%CE%BF%CF%80"),
        ("\u{e9}toile", "%C3%89TOILE"),
    ] {
        let id = who.property_at(address);
        assert_eq!(who.ids(&format!("/api/properties?searchTerm={term}")), [id], "{address}");
    }
}

fn search_finds_a_capital_sharp_s_by_each_of_its_spellings() {
    let who = world().tenant();
    let spellings = ["GRO\u{1e9e}E 1", "gro\u{df}e 1", "grosse 1", "GROSSE 1"];
    let mut ids = addresses(&who, &spellings);
    ids.sort();
    for term in ["GRO%E1%BA%9EE", "gro%C3%9Fe", "grosse", "GROSSE", "o%E1%BA%9E"] {
        let mut found = who.ids(&format!("/api/properties?searchTerm={term}"));
        found.sort();
        assert_eq!(found, ids, "{term}");
    }
    let (property, ids) = payments(&who, &[json!({ "notes": "STRA\u{1e9e}E" }), json!({ "notes": "Strasse" })]);
    let mut found = who.ids(&format!("{}?searchTerm=stra%C3%9Fe", payments_path(&property)));
    found.sort();
    let mut ids = ids.clone();
    ids.sort();
    assert_eq!(found, ids);
}

/// What Unicode added to its letters after version 15, the newest that Debian 12's ICU (72) knows.
fn is_newer_than_unicode_15(character: char) -> bool {
    matches!(character, '\u{1c89}' | '\u{a7cb}' | '\u{a7cc}' | '\u{a7da}' | '\u{a7dc}' | '\u{10d50}'..='\u{10d65}')
}

/// The database's `fold` against Unicode's own table (CaseFolding.txt, C and F): what is one there is one here, and nothing
/// else. U+FFFF is no character.
fn search_folds_every_character_as_unicode_does() {
    let all = ('\u{1}'..=char::MAX).filter(|it| *it != '\u{ffff}' && !is_newer_than_unicode_15(*it));
    let (characters, folded): (Vec<String>, Vec<String>) =
        all.map(|character| (character.to_string(), caseless::default_case_fold_str(&character.to_string()))).unzip();
    let with_a_folding = characters.iter().zip(&folded).filter(|(character, folded)| character != folded).count();
    assert!(with_a_folding > 1_500, "{with_a_folding}");
    let shown = |row: &postgres::Row| row.get::<_, String>(0).escape_unicode().to_string();

    let apart = world().query(
        "SELECT c FROM unnest($1::text[], $2::text[]) AS t (c, f) WHERE fold(c) IS DISTINCT FROM fold(f)
            OR 'x' || fold(c) || 'x' NOT LIKE '%' || fold(f) || '%' ESCAPE ''",
        &[&characters, &folded],
    );
    assert_eq!(apart.iter().map(shown).collect::<Vec<_>>(), Vec::<String>::new(), "one in Unicode and not here");
    let together = world().query(
        "SELECT string_agg(c, '' ORDER BY c) FROM unnest($1::text[], $2::text[]) AS t (c, f)
            GROUP BY fold(c) COLLATE \"C\" HAVING count(DISTINCT f COLLATE \"C\") > 1",
        &[&characters, &folded],
    );
    assert_eq!(together.iter().map(shown).collect::<Vec<_>>(), Vec::<String>::new(), "one here and not in Unicode");
}

/// A database as it was before, with rows in it.
fn the_migration_folds_existing_rows_anew() {
    const NAME: &str = "0016_full_case_folding.sql";
    let folder = scratch("migrations");
    std::fs::create_dir_all(&folder).expect("a folder");
    let committed = stack::repository_root().join("infra/migrations");
    for entry in std::fs::read_dir(committed).expect("the migrations") {
        let file = entry.expect("a file");
        let name = file.file_name().to_string_lossy().into_owned();
        if name.ends_with(".sql") && name.as_str() < NAME {
            std::fs::copy(file.path(), folder.join(&name)).expect("copied");
        }
    }
    let url = empty_database("");
    stack::migrate_from(&url, &folder).expect("the migrations before");
    let mut sql = postgres::Client::connect(&url, postgres::NoTls).expect("PostgreSQL answers");
    let all = sql
        .execute(
            "INSERT INTO properties (tenant_id, id, address, description) VALUES
                ('a', gen_random_uuid(), 'GRO\u{1e9e}E', NULL), ('a', gen_random_uuid(), 'Gro\u{df}e', NULL),
                ('b', gen_random_uuid(), 'x', 'Diyarbak\u{131}r')",
            &[],
        )
        .expect("rows");
    assert_eq!(all, 3);
    let method = "INSERT INTO payment_methods (tenant_id, name) VALUES ('a', $1)";
    sql.execute(method, &[&"Fu\u{1e9e}ball"]).expect("a method");
    sql.execute(method, &[&"Fussball"]).expect("another, as it was");
    let refused = stack::migrate(&url).expect_err("two methods of one name");
    let refused = format!("{refused:#}");
    assert!(refused.contains("Fu\u{1e9e}ball") && refused.contains("Fussball") && refused.contains(" a "), "{refused}");
    sql.execute("DELETE FROM payment_methods WHERE name = 'Fussball'", &[]).expect("renamed");
    assert!(stack::migrate(&url).expect("migrated").contains(&NAME.to_owned()));
    let rows =
        sql.query("SELECT search_text, row_version, updated_at = created_at FROM properties", &[]).expect("rows");
    let mut texts: Vec<String> = rows.iter().map(|row| row.get::<_, String>(0).replace('\u{1f}', "")).collect();
    texts.sort();
    assert_eq!(texts, ["grosse", "grosse", "xdiyarbak\u{131}r"]);
    assert!(rows.iter().all(|row| row.get::<_, i64>(1) == 1 && row.get::<_, bool>(2)), "the rows are as they were");
    sql.execute(method, &[&"FUSSBALL"]).expect_err("one name is one method");
}

fn search_takes_wildcards_literally() {
    let who = world().tenant();
    let ids =
        addresses(&who, &["100% brick", "100x brick", "a_b lane", "axb lane", r"c\d road", "cd road", "c%d road"]);
    for (term, expected) in [
        ("100%25", vec![0]),
        ("a_b", vec![2]),
        (r"c%5Cd", vec![4]),
        ("c%25d", vec![6]),
        ("%25", vec![0, 6]),
        ("_", vec![2]),
        ("%5C", vec![4]),
        ("%25%25", vec![]),
        ("%25brick", vec![]),
    ] {
        let mut found = who.ids(&format!("/api/properties?searchTerm={term}"));
        let mut expected: Vec<String> = expected.into_iter().map(|number: usize| ids[number].clone()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{term}");
    }
}

fn search_reads_plus_as_a_space_and_percent_codes() {
    let who = world().tenant();
    addresses(&who, &["1 Main St", "1+Main+St"]);
    assert_eq!(by_address(&who, "searchTerm=1+Main"), ["1 Main St"]);
    assert_eq!(by_address(&who, "searchTerm=1%20Main"), ["1 Main St"]);
    assert_eq!(by_address(&who, "searchTerm=1%2BMain"), ["1+Main+St"]);
}

fn a_short_search_term_works_too() {
    let who = world().tenant();
    addresses(&who, &["ab", "bc", "cd"]);
    assert_eq!(by_address(&who, "searchTerm=b"), ["ab", "bc"]);
    assert_eq!(by_address(&who, "searchTerm=BC"), ["bc"]);
}

fn an_empty_search_term_finds_everything() {
    let who = world().tenant();
    addresses(&who, &["a", "b"]);
    assert_eq!(by_address(&who, "searchTerm="), ["a", "b"]);
}

fn search_and_order_and_pages_go_together() {
    let who = world().tenant();
    addresses(&who, &["oak 1", "oak 2", "oak 3", "elm 1", "elm 2"]);
    let found = page(&who, "searchTerm=OAK&sortField=address&sortDescending=true&pageSize=2&pageNumber=2");
    let expected = json!({
        "totalCount": 3, "pageNumber": 2, "totalPages": 2, "hasNextPage": false, "hasPreviousPage": true
    });
    assert_eq!(frame(&found), expected);
    assert_eq!(found["items"][0]["address"], "oak 1");
}

fn odd_search_terms_do_no_harm() {
    let who = world().tenant();
    addresses(&who, &["1 Main St"]);
    let long = "x".repeat(3000);
    for term in [
        "'",
        "%27%20OR%201=1--",
        "%00",
        "a%00b",
        "%FF",
        "%",
        "%zz",
        "%5C%5C",
        "*",
        "(",
        "[",
        "$1",
        "%1F",
        "%F0%9F%8F%A0",
        &long,
    ] {
        let answer = who.get(&format!("/api/properties?searchTerm={term}"));
        assert!([200, 400, 414].contains(&answer.status), "{answer}");
        if answer.status == 200 {
            assert_eq!(answer.json()["totalCount"], 0, "{answer}");
        }
    }
}

fn search_finds_payments_by_method_reference_and_notes() {
    let who = world().tenant();
    let bodies = [
        json!({ "paymentMethodId": who.method("Direct Debit"), "amount": 4242 }),
        json!({ "paymentReference": "INV-100%" }),
        json!({ "notes": "paid \u{c4}USSERST late" }),
    ];
    let (property, ids) = payments(&who, &bodies);
    for (term, expected) in [
        ("direct+DEB", vec![0]),
        ("inv-100%25", vec![1]),
        ("%C3%A4usserst", vec![2]),
        ("LATE", vec![2]),
        ("4242", vec![]),
        ("2025", vec![]),
        ("%25", vec![1]),
        ("Main", vec![]),
    ] {
        let found = who.ids(&format!("{}?searchTerm={term}", payments_path(&property)));
        assert_eq!(found, at(&ids, &expected), "{term}");
    }
}
