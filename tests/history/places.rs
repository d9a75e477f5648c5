//! The landlords of the history, their properties and payments.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::key::Key;
use crate::random::Random;

/// How many deleted ones a landlord remembers to ask for again.
const REMEMBERED_DEAD: usize = 16;

/// A landlord.
pub struct Tenant {
    /// The id in the token.
    pub id: String,
    /// Sent with every request.
    pub token: String,
    estate: Mutex<Estate>,
}

#[derive(Default)]
struct Estate {
    properties: Vec<Arc<Property>>,
    known: HashMap<String, Arc<Key>>,
    dead: VecDeque<(String, Arc<Key>)>,
}

/// A property and its payments.
pub struct Property {
    /// What is known of it.
    pub key: Arc<Key>,
    /// Written with every PUT, so that the order of the lists stays.
    pub address: String,
    /// Whether it is never deleted.
    pub is_lasting: bool,
    payments: Mutex<Vec<Arc<Key>>>,
}

impl Property {
    /// One whose creation has been answered.
    pub fn new(key: Arc<Key>, address: String, is_lasting: bool) -> Property {
        Property { key, address, is_lasting, payments: Mutex::default() }
    }

    /// `/api/properties/{id}`
    pub fn path(&self) -> String {
        format!("/api/properties/{}", self.key.id)
    }

    /// `/api/properties/{id}/payments`
    pub fn payments_path(&self) -> String {
        format!("/api/properties/{}/payments", self.key.id)
    }

    /// `/api/properties/{id}/payments/{id}`
    pub fn payment_path(&self, payment: &Key) -> String {
        format!("/api/properties/{}/payments/{}", self.key.id, payment.id)
    }

    /// The payments that it has, as far as is known.
    pub fn payments(&self) -> MutexGuard<'_, Vec<Arc<Key>>> {
        self.payments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tenant {
    /// One without anything.
    pub fn new(id: String, token: String) -> Tenant {
        Tenant { id, token, estate: Mutex::default() }
    }

    fn estate(&self) -> MutexGuard<'_, Estate> {
        self.estate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A property was created.
    pub fn add_property(&self, property: &Arc<Property>) {
        let mut estate = self.estate();
        estate.known.insert(property.key.id.clone(), Arc::clone(&property.key));
        estate.properties.push(Arc::clone(property));
    }

    /// A payment was created. When its property has been deleted meanwhile it is gone too.
    pub fn add_payment(&self, property: &Property, payment: &Arc<Key>, now: u64) {
        self.estate().known.insert(payment.id.clone(), Arc::clone(payment));
        property.payments().push(Arc::clone(payment));
        if property.key.may_be_gone() {
            payment.start_delete();
        }
        if property.key.was_gone_at(u64::MAX) {
            payment.delete_answered(now);
        }
    }

    /// The properties that it has, as far as is known.
    pub fn properties(&self) -> Vec<Arc<Property>> {
        self.estate().properties.clone()
    }

    /// Any of them. The first ones are favoured, so that there are hot keys and cold ones.
    pub fn any_property(&self, random: &mut Random) -> Option<Arc<Property>> {
        let estate = self.estate();
        let length = estate.properties.len().max(1);
        let index = random.index(length).min(random.index(length));
        estate.properties.get(index).cloned()
    }

    /// Takes a property that may be deleted off the list, so that only one client deletes it.
    pub fn condemn(&self, random: &mut Random) -> Option<Arc<Property>> {
        let mut estate = self.estate();
        let passing: Vec<usize> =
            (0..estate.properties.len()).filter(|index| !estate.properties[*index].is_lasting).collect();
        if passing.len() < 2 {
            return None;
        }
        Some(estate.properties.remove(passing[random.index(passing.len())]))
    }

    /// Something was deleted: it may be asked for again, at this path, and must not be there.
    pub fn bury(&self, path: String, key: &Arc<Key>) {
        let mut estate = self.estate();
        estate.dead.push_back((path, Arc::clone(key)));
        if estate.dead.len() > REMEMBERED_DEAD
            && let Some((_, old)) = estate.dead.pop_front()
        {
            old.forget();
        }
    }

    /// Something that was deleted.
    pub fn any_dead(&self, random: &mut Random) -> Option<(String, Arc<Key>)> {
        let estate = self.estate();
        let index = random.index(estate.dead.len().max(1));
        estate.dead.get(index).cloned()
    }

    /// What is known under an id.
    pub fn known(&self, id: &str) -> Option<Arc<Key>> {
        self.estate().known.get(id).cloned()
    }

    /// Everything that ever was.
    pub fn all(&self) -> Vec<Arc<Key>> {
        self.estate().known.values().cloned().collect()
    }
}
