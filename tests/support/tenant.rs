//! A virtual user: a landlord with a token.

use serde_json::{Value, json};

use super::{Answer, Cache, Request, World, eventually};

/// A well-formed id that nothing has.
pub const NOWHERE: &str = "0190b5a8-dead-7000-8000-000000000001";

/// A landlord, or someone who claims to be one.
pub struct Tenant {
    /// The world that it lives in.
    pub world: World,
    /// The id in its token.
    pub id: String,
    /// Sent with every request.
    pub token: String,
}

impl Tenant {
    /// With this token.
    pub fn new(world: World, id: &str, token: String) -> Tenant {
        Tenant { world, id: id.into(), token }
    }

    /// A request with the token.
    pub fn request(&self, method: &str, target: &str) -> Request {
        self.world.request(method, target).header("Authorization", format!("Bearer {}", self.token))
    }

    /// GET
    pub fn get(&self, target: &str) -> Answer {
        self.request("GET", target).send()
    }

    /// GET until the cache answers it: that answer.
    #[track_caller]
    pub fn await_hit(&self, target: &str) -> Answer {
        eventually(&format!("{target} is a hit"), || {
            let answer = self.get(target).is(200);
            (answer.cache() == Cache::Hit).then_some(answer)
        })
    }

    /// POST of JSON
    pub fn post(&self, target: &str, body: &Value) -> Answer {
        self.request("POST", target).json(body).send()
    }

    /// PUT of JSON
    pub fn put(&self, target: &str, body: &Value) -> Answer {
        self.request("PUT", target).json(body).send()
    }

    /// DELETE
    pub fn delete(&self, target: &str) -> Answer {
        self.request("DELETE", target).send()
    }

    /// Creates a property: its id.
    #[track_caller]
    pub fn property(&self, body: &Value) -> String {
        id_of(&self.post("/api/properties", body).is(201))
    }

    /// Creates a property at this address: its id.
    #[track_caller]
    pub fn property_at(&self, address: &str) -> String {
        self.property(&json!({ "address": address }))
    }

    /// Creates a payment: its id.
    #[track_caller]
    pub fn payment(&self, property: &str, body: &Value) -> String {
        id_of(&self.post(&payments_path(property), body).is(201))
    }

    /// Creates a payment of this amount in cash: its id.
    #[track_caller]
    pub fn payment_of(&self, property: &str, amount: i64) -> String {
        self.payment(property, &self.cash(amount))
    }

    /// The body of a payment of this amount in cash.
    #[track_caller]
    pub fn cash(&self, amount: i64) -> Value {
        json!({ "amount": amount, "paymentDate": "2025-03-01T00:00:00Z", "paymentMethodId": self.method("Cash") })
    }

    /// The id of the payment method with this name.
    #[track_caller]
    pub fn method(&self, name: &str) -> String {
        let methods = self.get("/api/paymentmethods").is(200).json();
        let methods = methods.as_array().expect("an array of methods");
        let method = methods.iter().find(|method| method["name"] == name);
        method.and_then(|method| method["id"].as_str()).unwrap_or_else(|| panic!("no {name} in {methods:?}")).into()
    }

    /// The items of every page by keyset, from the first to the last. `target` has a query.
    #[track_caller]
    pub fn items_by_keyset(&self, target: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{target}&after={cursor}")).is(200).json();
            items.extend(page["items"].as_array().expect("items").iter().cloned());
            assert_eq!(page["hasNextPage"], page["nextCursor"].is_string(), "{page}");
            match page["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return items,
            }
        }
    }

    /// The ids of a page's items, in order.
    #[track_caller]
    pub fn ids(&self, target: &str) -> Vec<String> {
        self.column(target, "id")
    }

    /// One member of a page's items, in order.
    #[track_caller]
    pub fn column(&self, target: &str, member: &str) -> Vec<String> {
        let page = self.get(target).is(200).json();
        let items = page["items"].as_array().unwrap_or_else(|| panic!("no items in {page}"));
        items.iter().map(|item| item[member].as_str().unwrap_or_default().to_owned()).collect()
    }
}

#[track_caller]
fn id_of(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap_or_else(|| panic!("no id: {answer}")).to_owned()
}

/// `/api/properties/{id}`
pub fn property_path(property: &str) -> String {
    format!("/api/properties/{property}")
}

/// `/api/properties/{propertyId}/payments`
pub fn payments_path(property: &str) -> String {
    format!("/api/properties/{property}/payments")
}

/// `/api/properties/{propertyId}/payments/{paymentId}`
pub fn payment_path(property: &str, payment: &str) -> String {
    format!("/api/properties/{property}/payments/{payment}")
}

/// A landlord with a property and a payment, nothing of it cached.
pub struct Place {
    /// The landlord.
    pub who: Tenant,
    /// The property's id.
    pub property: String,
    /// The payment's id.
    pub payment: String,
}

impl Place {
    /// Makes a property and a payment for `who`.
    pub fn of(who: Tenant) -> Place {
        let property = who.property(&json!({ "address": "1 Main St", "weeklyRentAmount": 1 }));
        let payment = who.payment_of(&property, 100);
        Place { who, property, payment }
    }

    /// The property's path.
    pub fn property_path(&self) -> String {
        property_path(&self.property)
    }

    /// The path of the property's payments.
    pub fn payments_path(&self) -> String {
        payments_path(&self.property)
    }

    /// The payment's path.
    pub fn payment_path(&self) -> String {
        payment_path(&self.property, &self.payment)
    }

    /// Every cached route.
    pub fn routes(&self) -> [String; 4] {
        ["/api/properties".to_owned(), self.property_path(), self.payments_path(), self.payment_path()]
    }
    /// Every write of its rows, a delete of each among them.
    pub fn writes(&self) -> [Answer; 6] {
        let payment = json!({ "amount": 1, "paymentDate": "2025-03-01", "paymentMethod": "Cash" });
        let (who, property) = (&self.who, json!({ "address": "x" }));
        [
            who.post("/api/properties", &property),
            who.put(&self.property_path(), &property),
            who.delete(&self.property_path()),
            who.post(&self.payments_path(), &payment),
            who.put(&self.payment_path(), &payment),
            who.delete(&self.payment_path()),
        ]
    }
}
