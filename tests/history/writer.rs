//! The writes of a client. Each has a content of its own, and is counted before it is sent and after it was answered.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::client::{Client, Sent};
use crate::key::{GONE, Key};
use crate::places::{Property, Tenant};

/// Cash, which every deployment has under this id.
const METHOD: &str = "01980000-0000-7000-8000-000000000002";

/// How many payments a property may have before one must go.
const MOST_PAYMENTS: usize = 5;
/// How many properties a landlord may have before one must go.
const MOST_PROPERTIES: usize = 10;

fn property_body(address: &str, content: u64) -> String {
    json!({ "address": address, "suburb": "Carlton", "description": format!("content-{content}.") }).to_string()
}

fn payment_body(content: u64) -> String {
    json!({
        "amount": 100, "paymentDate": "2025-03-01T00:00:00Z", "paymentMethodId": METHOD,
        "notes": format!("content-{content}."),
    })
    .to_string()
}

impl Client<'_> {
    /// Changes a property or a payment; sometimes creates or deletes one.
    pub fn write_something(&mut self, tenant: &Tenant) {
        let Some(property) = tenant.any_property(&mut self.random) else {
            return;
        };
        match self.random.below(100) {
            0..50 => drop(self.put_property(None, tenant, &property)),
            50..84 => {
                let index = self.random.index(MOST_PAYMENTS);
                let payment = property.payments().get(index).cloned();
                if let Some(payment) = payment {
                    self.put_payment(tenant, &property, &payment);
                }
            }
            84..92 if property.payments().len() < MOST_PAYMENTS => drop(self.create_payment(tenant, &property)),
            84..92 => self.delete_payment(tenant, &property),
            _ if tenant.properties().len() < MOST_PROPERTIES => {
                if let Some(property) = self.create_property(tenant, false) {
                    self.create_payment(tenant, &property);
                }
            }
            _ => self.delete_property(tenant),
        }
    }

    /// Replaces a property, through this host or any. The version that it got.
    pub fn put_property(&mut self, node: Option<usize>, tenant: &Tenant, property: &Property) -> Option<u64> {
        let content = self.run.new_content();
        let body = property_body(&property.address, content);
        let key = &property.key;
        key.start_put();
        let sent = match node {
            Some(node) => self.send_to(node, "PUT", tenant, &property.path(), Some(&body)),
            None => self.send("PUT", tenant, &property.path(), Some(&body)),
        };
        self.put_was_sent(sent, key, 200, content)
    }

    /// Replaces a payment.
    pub fn put_payment(&mut self, tenant: &Tenant, property: &Property, payment: &Key) {
        let content = self.run.new_content();
        payment.start_put();
        let sent = self.send("PUT", tenant, &property.payment_path(payment), Some(&payment_body(content)));
        self.put_was_sent(sent, payment, 204, content);
    }

    fn put_was_sent(&mut self, sent: Sent, key: &Key, done: u16, content: u64) -> Option<u64> {
        match sent {
            Sent::Answered(reply, event) if reply.status == done && reply.version.is_some() => {
                let version = reply.version.unwrap_or_default();
                self.put_answered(key, event, version, content);
                self.run.counters.writes.fetch_add(1, Ordering::Relaxed);
                return Some(version);
            }
            Sent::Answered(reply, _) => {
                key.put_had_no_effect();
                if reply.status != 404 || !key.may_be_gone() {
                    let text = String::from_utf8_lossy(&reply.body);
                    self.run.failure(&format!("PUT of {}: {}, {text}", key.id, reply.status));
                }
            }
            Sent::Nothing => key.put_had_no_effect(),
            Sent::Unknown => drop(self.run.counters.unknown.fetch_add(1, Ordering::Relaxed)),
        }
        None
    }

    /// Creates something: its id and the content. `None` when it was not created, as far as is known.
    fn create(
        &mut self,
        tenant: &Tenant,
        target: &str,
        content: u64,
        body: &str,
        parent: Option<&Key>,
    ) -> Option<Arc<Key>> {
        match self.send("POST", tenant, target, Some(body)) {
            Sent::Answered(reply, _) if reply.status == 201 => {
                self.run.counters.writes.fetch_add(1, Ordering::Relaxed);
                let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
                let key = self.run.new_key(answer["id"].as_str().unwrap_or_default(), content);
                self.note(&key, 1);
                Some(key)
            }
            Sent::Answered(reply, _) if reply.status == 404 && parent.is_some_and(Key::may_be_gone) => None,
            Sent::Answered(reply, _) => {
                self.run.failure(&format!("POST {target}: {}", reply.status));
                None
            }
            Sent::Nothing => None,
            Sent::Unknown => {
                self.run.counters.unknown.fetch_add(1, Ordering::Relaxed);
                self.run.creation_is_unknown();
                None
            }
        }
    }

    /// Creates a property.
    pub fn create_property(&mut self, tenant: &Tenant, is_lasting: bool) -> Option<Arc<Property>> {
        let content = self.run.new_content();
        let address = format!("{content:06} Main St");
        let body = property_body(&address, content);
        let key = self.create(tenant, "/api/properties", content, &body, None)?;
        let property = Arc::new(Property::new(key, address, is_lasting));
        tenant.add_property(&property);
        Some(property)
    }

    /// Creates a payment for a property.
    pub fn create_payment(&mut self, tenant: &Tenant, property: &Property) -> Option<Arc<Key>> {
        let content = self.run.new_content();
        let parent = Some(&*property.key);
        let key = self.create(tenant, &property.payments_path(), content, &payment_body(content), parent)?;
        tenant.add_payment(property, &key, self.run.now());
        Some(key)
    }

    fn delete_payment(&mut self, tenant: &Tenant, property: &Property) {
        let payment = {
            let mut payments = property.payments();
            // The first stays, so that there is always one to read.
            if payments.len() < 2 {
                return;
            }
            let index = 1 + self.random.index(payments.len() - 1);
            payments.remove(index)
        };
        payment.start_delete();
        let path = property.payment_path(&payment);
        if self.delete(tenant, &path, &payment, Some(&property.key)) || property.key.was_gone_at(u64::MAX) {
            payment.delete_answered(self.run.now());
            tenant.bury(path, &payment);
        }
    }

    fn delete_property(&mut self, tenant: &Tenant) {
        let Some(property) = tenant.condemn(&mut self.random) else {
            return;
        };
        property.key.start_delete();
        for payment in property.payments().iter() {
            payment.start_delete();
        }
        if !self.delete(tenant, &property.path(), &property.key, None) {
            return;
        }
        let now = self.run.now();
        property.key.delete_answered(now);
        tenant.bury(property.path(), &property.key);
        for payment in property.payments().iter() {
            payment.delete_answered(now);
            tenant.bury(property.payment_path(payment), payment);
        }
    }

    /// Whether it is known to be gone.
    fn delete(&mut self, tenant: &Tenant, path: &str, key: &Key, parent: Option<&Key>) -> bool {
        match self.send("DELETE", tenant, path, None) {
            Sent::Answered(reply, mut event) if reply.status == 204 => {
                self.run.counters.writes.fetch_add(1, Ordering::Relaxed);
                self.note(key, GONE);
                event.version = GONE;
                key.remember(event);
                true
            }
            Sent::Answered(reply, _) if reply.status == 404 && parent.is_some_and(Key::may_be_gone) => false,
            Sent::Answered(reply, _) => {
                self.run.failure(&format!("DELETE {path}: {}", reply.status));
                false
            }
            Sent::Nothing => false,
            Sent::Unknown => {
                self.run.counters.unknown.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }
}
