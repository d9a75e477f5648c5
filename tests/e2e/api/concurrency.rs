//! Versions: entity tags, conditions, and two who write at once.

use serde_json::{Value, json};

use crate::support::{
    Answer, NOWHERE, Private, Tenant, payment_path, payments_path, property_path, together, trials, world,
};

trials![
    the_tag_of_a_resource_is_strong_and_steady,
    lists_are_not_answered_with_304,
    if_none_match_of_the_current_tag_is_304,
    if_none_match_of_an_older_tag_is_200,
    if_none_match_reads_lists_stars_and_weak_tags,
    a_304_carries_what_a_200_would,
    if_none_match_does_not_hide_what_is_not_there,
    a_304_comes_from_the_cache_too,
    if_match_of_the_current_tag_writes,
    if_match_of_an_older_tag_is_412,
    if_match_of_the_wrong_form_is_412,
    if_match_reads_lists_and_stars,
    a_failed_condition_changes_nothing,
    if_match_on_what_is_not_there_is_404,
    a_row_version_that_is_current_writes,
    a_row_version_that_is_not_current_is_409,
    a_row_version_of_the_wrong_form_is_400,
    if_both_fail_412_comes_first,
    without_a_condition_the_last_writer_wins,
    of_two_writers_with_one_tag_exactly_one_wins,
    of_many_writers_with_one_row_version_exactly_one_wins,
    of_many_payment_writers_with_one_tag_exactly_one_wins,
    of_a_writer_and_a_deleter_with_one_tag_exactly_one_wins,
    of_many_deleters_exactly_one_finds_it,
    no_change_is_lost_among_writers_without_conditions,
    a_condition_can_be_required,
];

/// A resource that can be put: a property or a payment.
struct Thing {
    who: Tenant,
    path: String,
    body: Value,
    /// What PUT answers.
    done: u16,
}

impl Thing {
    fn put(&self) -> crate::support::Request {
        self.who.request("PUT", &self.path).json(&self.body)
    }

    fn put_if(&self, tag: &str) -> Answer {
        self.put().header("If-Match", tag).send()
    }

    fn put_version(&self, version: &Value) -> Answer {
        let mut body = self.body.clone();
        body["rowVersion"] = version.clone();
        self.who.put(&self.path, &body)
    }

    fn tag(&self) -> String {
        self.who.get(&self.path).is(200).etag()
    }
}

fn property() -> Thing {
    let who = world().tenant();
    let path = property_path(&who.property_at("1 Main St"));
    Thing { who, path, body: json!({ "address": "2 Changed St" }), done: 200 }
}

fn payment() -> Thing {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    let path = payment_path(&property, &who.payment_of(&property, 100));
    let body = who.cash(200);
    Thing { who, path, body, done: 204 }
}

fn both() -> [Thing; 2] {
    [property(), payment()]
}

fn the_tag_of_a_resource_is_strong_and_steady() {
    for thing in both() {
        let tag = thing.tag();
        assert_eq!(thing.tag(), tag);
        thing.put().send().is(thing.done);
        assert_ne!(thing.tag(), tag);
    }
}

fn lists_are_not_answered_with_304() {
    let thing = property();
    thing.who.request("GET", "/api/properties").header("If-None-Match", thing.tag()).send().is(200);
}

fn if_none_match_of_the_current_tag_is_304() {
    for thing in both() {
        let tag = thing.tag();
        let answer = thing.who.request("GET", &thing.path).header("If-None-Match", tag.clone()).send().is(304);
        assert_eq!(answer.etag(), tag);
        thing.who.request("HEAD", &thing.path).header("If-None-Match", tag).send().is(304);
    }
}

fn if_none_match_of_an_older_tag_is_200() {
    for thing in both() {
        let old = thing.tag();
        thing.put().send().is(thing.done);
        thing.who.request("GET", &thing.path).header("If-None-Match", old).send().is(200);
    }
}

fn if_none_match_reads_lists_stars_and_weak_tags() {
    for thing in both() {
        let tag = thing.tag();
        for (condition, status) in [
            ("*".to_owned(), 304),
            (format!("W/{tag}"), 304),
            (format!(r#""x", {tag}, "y""#), 304),
            (format!(r#""a,b",W/{tag}"#), 304),
            (r#""x", "y""#.into(), 200),
            ("x".into(), 200),
            (String::new(), 200),
            (tag.trim_matches('"').into(), 200),
        ] {
            let answer = thing.who.request("GET", &thing.path).header("If-None-Match", condition.as_str()).send();
            assert_eq!(answer.status, status, "{condition}: {answer}");
        }
    }
}

fn a_304_carries_what_a_200_would() {
    for thing in both() {
        let full = thing.who.get(&thing.path).is(200);
        let answer = thing.who.request("GET", &thing.path).header("If-None-Match", full.etag()).send().is(304);
        for name in ["etag", "vary", "cache-control"] {
            assert_eq!(answer.header(name), full.header(name), "{name}");
        }
        assert!(answer.header("cache-status").is_some(), "{answer}");
    }
}

fn if_none_match_does_not_hide_what_is_not_there() {
    let who = world().tenant();
    who.request("GET", &property_path(NOWHERE)).header("If-None-Match", "*").send().is(404);
}

fn a_304_comes_from_the_cache_too() {
    for thing in both() {
        let tag = thing.tag();
        let answer = thing.who.request("GET", &thing.path).header("If-None-Match", tag).send().is(304);
        assert_eq!(answer.cache(), crate::support::Cache::Hit, "{answer}");
    }
}

fn if_match_of_the_current_tag_writes() {
    for thing in both() {
        thing.put_if(&thing.tag()).is(thing.done);
        thing.who.request("DELETE", &thing.path).header("If-Match", thing.tag()).send().is(204);
    }
}

fn if_match_of_an_older_tag_is_412() {
    for thing in both() {
        let old = thing.tag();
        thing.put().send().is(thing.done);
        thing.put_if(&old).problem(412);
        thing.who.request("DELETE", &thing.path).header("If-Match", old).send().problem(412);
        thing.who.get(&thing.path).is(200);
    }
}

fn if_match_of_the_wrong_form_is_412() {
    for thing in both() {
        let tag = thing.tag();
        // If-Match compares strongly: a weak tag never matches.
        for wrong in [
            format!("W/{tag}"),
            "x".into(),
            r#""""#.into(),
            "1".into(),
            r#""99999999999999999999""#.into(),
            tag.trim_matches('"').into(),
        ] {
            let answer = thing.put_if(&wrong);
            assert_eq!(answer.status, 412, "{wrong}: {answer}");
        }
    }
}

fn if_match_reads_lists_and_stars() {
    for thing in both() {
        thing.put_if("*").is(thing.done);
        thing.put_if(&format!(r#""x", {}, "y""#, thing.tag())).is(thing.done);
        thing.put_if(r#""x", "y""#).problem(412);
        thing.who.request("DELETE", &thing.path).header("If-Match", "*").send().is(204);
    }
}

fn a_failed_condition_changes_nothing() {
    for thing in both() {
        let before = thing.who.get(&thing.path).is(200);
        thing.put_if(r#""x""#).is(412);
        thing.put_version(&json!(99)).is(409);
        thing.who.request("DELETE", &thing.path).header("If-Match", r#""x""#).send().is(412);
        let after = thing.who.get(&thing.path).is(200);
        assert_eq!((after.json(), after.etag()), (before.json(), before.etag()));
    }
}

fn if_match_on_what_is_not_there_is_404() {
    let who = world().tenant();
    let property = who.property_at("1 Main St");
    for (path, body) in [
        (property_path(NOWHERE), json!({ "address": "x" })),
        (payment_path(&property, NOWHERE), who.cash(1)),
        (payment_path(NOWHERE, NOWHERE), who.cash(1)),
    ] {
        for tag in [r#""1""#, "*", "x"] {
            who.request("PUT", &path).header("If-Match", tag).json(&body).send().problem(404);
            who.request("DELETE", &path).header("If-Match", tag).send().problem(404);
        }
    }
}

fn a_row_version_that_is_current_writes() {
    for thing in both() {
        thing.put_version(&json!(1)).is(thing.done);
        thing.put_version(&json!(2)).is(thing.done);
        assert_eq!(thing.who.get(&thing.path).json()["rowVersion"], 3);
    }
}

fn a_row_version_that_is_not_current_is_409() {
    for thing in both() {
        thing.put().send().is(thing.done);
        for version in [1, 3, 9_007_199_254_740_993_i64] {
            thing.put_version(&json!(version)).problem(409);
        }
    }
}

fn a_row_version_of_the_wrong_form_is_400() {
    for thing in both() {
        for wrong in [json!("1"), json!("x"), json!(1.5), json!(true), json!([1]), json!({})] {
            thing.put_version(&wrong).names("rowVersion");
        }
    }
}

fn if_both_fail_412_comes_first() {
    for thing in both() {
        let mut body = thing.body.clone();
        body["rowVersion"] = json!(99);
        let put = |tag: &str| thing.who.request("PUT", &thing.path).header("If-Match", tag).json(&body).send();
        put(r#""x""#).problem(412);
        put(&thing.tag()).problem(409);
        put("*").problem(409);
    }
}

fn without_a_condition_the_last_writer_wins() {
    for thing in both() {
        thing.put().send().is(thing.done);
        thing.put().send().is(thing.done);
        assert_eq!(thing.who.get(&thing.path).json()["rowVersion"], 3);
        thing.who.delete(&thing.path).is(204);
    }
}

/// How many answers had this status.
fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

fn of_two_writers_with_one_tag_exactly_one_wins() {
    for round in 0..10 {
        let thing = property();
        let tag = thing.tag();
        let answers = together(2, |number| {
            let body = json!({ "address": format!("{number} Race St") });
            thing.who.request("PUT", &thing.path).header("If-Match", tag.as_str()).json(&body).send()
        });
        assert_eq!((count(&answers, 200), count(&answers, 412)), (1, 1), "round {round}: {answers:?}");
        let winner = answers.iter().find(|answer| answer.status == 200).map(Answer::json);
        assert_eq!(Some(thing.who.get(&thing.path).is(200).json()), winner, "round {round}");
    }
}

fn of_many_writers_with_one_row_version_exactly_one_wins() {
    for thing in both() {
        let answers = together(8, |_| thing.put_version(&json!(1)));
        assert_eq!((count(&answers, thing.done), count(&answers, 409)), (1, 7), "{answers:?}");
        assert_eq!(thing.who.get(&thing.path).json()["rowVersion"], 2);
    }
}

fn of_many_payment_writers_with_one_tag_exactly_one_wins() {
    let thing = payment();
    let tag = thing.tag();
    let answers = together(8, |_| thing.put_if(&tag));
    assert_eq!((count(&answers, 204), count(&answers, 412)), (1, 7), "{answers:?}");
}

fn of_a_writer_and_a_deleter_with_one_tag_exactly_one_wins() {
    for thing in both() {
        let tag = thing.tag();
        let answers = together(2, |number| match number {
            0 => thing.put_if(&tag),
            _ => thing.who.request("DELETE", &thing.path).header("If-Match", tag.as_str()).send(),
        });
        let (put, delete) = (answers[0].status, answers[1].status);
        // The loser finds the row gone, or its version passed.
        assert!((put, delete) == (thing.done, 412) || (delete == 204 && [404, 412].contains(&put)), "{answers:?}");
    }
}

fn of_many_deleters_exactly_one_finds_it() {
    for thing in both() {
        let answers = together(6, |_| thing.who.delete(&thing.path));
        assert_eq!((count(&answers, 204), count(&answers, 404)), (1, 5), "{answers:?}");
    }
}

fn no_change_is_lost_among_writers_without_conditions() {
    for thing in both() {
        let answers = together(8, |_| thing.put().send());
        assert_eq!(count(&answers, thing.done), 8, "{answers:?}");
        assert_eq!(thing.who.get(&thing.path).json()["rowVersion"], 9);
    }
}

fn a_condition_can_be_required() {
    let own = Private::with(&[("require_if_match", "true")]);
    let who = own.tenant();
    let property = who.property_at("1 Main St");
    let payment = who.payment_of(&property, 100);
    for (path, body, done) in [
        (payment_path(&property, &payment), who.cash(1), 204),
        (property_path(&property), json!({ "address": "x" }), 200),
    ] {
        who.put(&path, &body).problem(428);
        who.delete(&path).problem(428);
        let tag = who.get(&path).is(200).etag();
        who.request("PUT", &path).header("If-Match", tag.as_str()).json(&body).send().is(done);
        who.request("PUT", &path).header("If-Match", tag).json(&body).send().problem(412);
        let mut versioned = body.clone();
        versioned["rowVersion"] = json!(2);
        who.put(&path, &versioned).is(done);
        who.request("DELETE", &path).header("If-Match", who.get(&path).etag()).send().is(204);
    }
    who.get(&payments_path(&property)).is(404);
}
