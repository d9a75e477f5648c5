//! The real client against one address: what is ours and what is the origin's, as it uses them one after the other.

use serde_json::{Value, json};

use crate::api::origin::behind;
use crate::support::origin_server::{Exchange, OriginServer};
use crate::support::{Answer, Cache, Private, Tenant, token, trials, world};

trials![the_client_works_against_one_address];

const LANDLORD: &str = "5b6f0a5e-3f0a-4c59-8f43-0d7c1f1f8f11";
const CLIENT: &str = "http://localhost:5112";
const PHOTO: &[u8] = b"\x89PNG\r\n\x1a\n\x00 not much of a photo";

/// RentTracker's own backend, as far as the client uses it here.
fn backend(exchange: &mut Exchange) {
    let body = exchange.body().expect("a whole body");
    let (method, target) = (exchange.head.method.clone(), exchange.head.target.clone());
    let json = |value: Value| value.to_string().into_bytes();
    let cors = ("Access-Control-Allow-Origin", CLIENT);
    let (status, kind, body) = match (method.as_str(), target.as_str()) {
        ("OPTIONS", _) => {
            let headers = [cors, ("Access-Control-Allow-Headers", "authorization,content-type")];
            return exchange.answer("204 No Content", &[&headers[..], &[("Content-Length", "0")]].concat(), b"");
        }
        ("POST", "/api/auth/login") => {
            let sent: Value = serde_json::from_slice(&body).expect("JSON");
            if sent["Password"] != "right" {
                return exchange.answer("401 Unauthorized", &[cors], b"{\"message\":\"Invalid email or password\"}");
            }
            let token = token::sign(&token::claims(LANDLORD), &world().secret);
            ("200 OK", "application/json", json(json!({ "token": token, "refreshToken": "r", "userId": LANDLORD })))
        }
        ("GET", "/api/auth/me") => ("200 OK", "application/json", json(json!({ "id": LANDLORD }))),
        ("POST", "/api/paymentmethods") => ("201 Created", "application/json", body),
        ("POST", path) if path.ends_with("/attachments") => {
            ("201 Created", "application/json", json(json!({ "id": "a1", "fileSize": body.len() })))
        }
        ("GET", path) if path.ends_with("/attachments") => {
            ("200 OK", "application/json", json(json!([{ "id": "a1", "fileName": "photo.png" }])))
        }
        ("GET", "/api/attachments/a1/download") => {
            let headers =
                [cors, ("Content-Disposition", "attachment; filename=photo.png"), ("Content-Type", "image/png")];
            return exchange.answer("200 OK", &headers, PHOTO);
        }
        ("DELETE", "/api/attachments/a1") => return exchange.answer("204 No Content", &[cors], b""),
        _ => ("404 Not Found", "text/plain", b"the backend does not know it".to_vec()),
    };
    exchange.answer(status, &[cors, ("Content-Type", kind)], &body);
}

/// A browser asks first, then sends.
fn send(own: &Private, token: &str, method: &str, target: &str, body: Option<(&str, Vec<u8>)>) -> Answer {
    let asking = own.request("OPTIONS", target).header("Origin", CLIENT);
    let asking = asking.header("Access-Control-Request-Method", method);
    let allowed = asking.header("Access-Control-Request-Headers", "authorization,content-type").send_unchecked();
    assert_eq!((allowed.status, allowed.needs("access-control-allow-origin")), (204, CLIENT.to_owned()), "{allowed}");
    let request =
        own.request(method, target).header("Origin", CLIENT).header("Authorization", format!("Bearer {token}"));
    let answer = match body {
        Some((kind, bytes)) => request.header("Content-Type", kind).body(bytes),
        None => request,
    };
    let answer = answer.send_unchecked();
    assert_eq!(answer.needs("access-control-allow-origin"), CLIENT, "{answer}");
    answer
}

fn the_client_works_against_one_address() {
    let origin = OriginServer::start(backend);
    let own = behind(&origin);
    let form = |value: Value| Some(("application/json; charset=utf-8", value.to_string().into_bytes()));
    let login = |password: &str| {
        send(&own, "", "POST", "/api/auth/login", form(json!({ "Email": "a@b.example", "Password": password })))
    };
    assert!(login("wrong").is(401).text().contains("Invalid email"));
    let token = login("right").is(200).json()["token"].as_str().expect("a token").to_owned();
    let who: Tenant = own.bearer(LANDLORD, token.clone());
    let call = |method: &str, target: &str, body| send(&own, &token, method, target, body);
    assert_eq!(call("GET", "/api/auth/me", None).is(200).json()["id"], LANDLORD);

    // Ours: a property, its list, and its payments.
    let model = json!({ "Id": "00000000-0000-0000-0000-000000000000", "Address": "7 Banksia Ave", "Attachments": [] });
    let created = call("POST", "/api/properties/", form(model.clone())).is(201).json();
    let property = format!("/api/properties/{}", created["id"].as_str().expect("an id"));
    let list = "/api/properties?pageNumber=1&pageSize=10&searchTerm=&sortField=&sortDescending=False";
    assert_eq!(call("GET", list, None).is(200).json()["totalCount"], 1);
    let methods = call("GET", "/api/paymentmethods/", None).is(200).json();
    let payment = json!({ "Amount": 720.0, "PaymentDate": "2025-02-08T00:00:00", "PaymentMethodId": methods[0]["id"] });
    call("POST", &format!("{property}/payments/"), form(payment)).is(201);
    assert_eq!(call("GET", &format!("{property}/payments"), None).is(200).json()["totalCount"], 1);
    call("PUT", &property, form(model)).is(200);
    assert_eq!(who.await_hit(&property).cache(), Cache::Hit);

    // The origin's: attachments, and a method of one's own.
    let multipart = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"photo.png\"\r\n\r\n".to_vec();
    let multipart = [&multipart[..], PHOTO, b"\r\n--b--\r\n"].concat();
    let length = multipart.len();
    let attachments = format!("{property}/attachments");
    let made = call("POST", &attachments, Some(("multipart/form-data; boundary=b", multipart))).is(201).json();
    assert_eq!(made["fileSize"], length);
    assert_eq!(call("GET", &attachments, None).is(200).json()[0]["fileName"], "photo.png");
    let photo = call("GET", "/api/attachments/a1/download", None).is(200);
    assert_eq!((photo.body.as_slice(), photo.needs("content-type")), (PHOTO, "image/png".to_owned()));
    assert_eq!(photo.needs("content-disposition"), "attachment; filename=photo.png");
    call("DELETE", "/api/attachments/a1", None).is(204);
    call("POST", "/api/paymentmethods", form(json!({ "Name": "Barter" }))).is(201);
    assert_eq!(call("GET", "/api/later/feature", None).is(404).text(), "the backend does not know it");
    call("DELETE", &property, None).is(204);

    let received: Vec<String> = origin.seen().into_iter().map(|it| format!("{} {}", it.method, it.target)).collect();
    let expected: Vec<String> = [
        "POST /api/auth/login",
        "POST /api/auth/login",
        "GET /api/auth/me",
        &format!("POST {attachments}"),
        &format!("GET {attachments}"),
        "GET /api/attachments/a1/download",
        "DELETE /api/attachments/a1",
        "POST /api/paymentmethods",
        "GET /api/later/feature",
    ]
    .iter()
    .flat_map(|line| [format!("OPTIONS {}", line.split_once(' ').expect("a target").1), (*line).to_owned()])
    .collect();
    assert_eq!(received, expected, "each with its preflight, and nothing of ours");
}
