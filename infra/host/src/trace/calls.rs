//! Calls of host functions, and the request of each: an instance answers several at once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanKind};
use wasmtime::StoreContextMut;
use wasmtime::component::GuestTaskId;

use super::{Span, Tracing};

const DB_SYSTEM_NAME: &str = "db.system.name";
const DB_OPERATION_NAME: &str = "db.operation.name";

/// The words that a statement of the components begins with. A closed list: nothing else of a statement gets into a span.
const STATEMENTS: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];

/// The requests that one instance works on, by the guest tasks that answer them.
pub struct InstanceTraces {
    tracing: Arc<Tracing>,
    /// wasmtime gives a number again after its task has ended: this does not grow with the requests.
    requests: Mutex<HashMap<GuestTaskId, SpanContext>>,
}

impl InstanceTraces {
    /// For a new instance.
    pub fn new(tracing: Arc<Tracing>) -> Arc<Self> {
        Arc::new(Self { tracing, requests: Mutex::default() })
    }

    /// Notes that `task` answers the request with this span.
    pub fn note(&self, task: GuestTaskId, span: SpanContext) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).insert(task, span);
    }

    /// The tracer.
    pub fn tracing(&self) -> &Tracing {
        &self.tracing
    }

    /// The span of the request whose task has called the host function that runs now. To be asked before the function first
    /// waits: after that the store may be in another task.
    pub fn caller<T: 'static>(&self, mut store: StoreContextMut<'_, T>) -> Option<SpanContext> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        // An error says that no task is running; then there is no caller.
        store.async_call_stack().ok()?.find_map(|task| requests.get(&task).cloned())
    }

    /// Begins the span of a call to Redis.
    pub fn redis<T: 'static>(
        traces: Option<Arc<Self>>,
        store: StoreContextMut<'_, T>,
        name: &str,
        command: Option<&str>,
    ) -> Span {
        let Some(traces) = traces else { return Span::none() };
        traces.database(store, "redis", name.to_owned().into(), command.map(|command| command.to_owned().into()))
    }

    /// Begins the span of a call to PostgreSQL.
    pub fn postgres<T: 'static>(
        traces: Option<Arc<Self>>,
        store: StoreContextMut<'_, T>,
        name: &'static str,
        statement: Option<&str>,
    ) -> Span {
        let Some(traces) = traces else { return Span::none() };
        traces.database(store, "postgresql", name.into(), statement.and_then(postgres_operation).map(Cow::Borrowed))
    }

    fn database<T: 'static>(
        &self,
        store: StoreContextMut<'_, T>,
        system: &'static str,
        name: Cow<'static, str>,
        operation: Option<Cow<'static, str>>,
    ) -> Span {
        let mut attributes = vec![KeyValue::new(DB_SYSTEM_NAME, system)];
        attributes.extend(operation.map(|operation| KeyValue::new(DB_OPERATION_NAME, operation)));
        self.tracing.begin(name, SpanKind::Client, self.caller(store), attributes)
    }
}

/// What kind of statement this is, if it is of a known kind.
fn postgres_operation(statement: &str) -> Option<&'static str> {
    let word = statement.split_whitespace().next()?;
    STATEMENTS.into_iter().find(|known| known.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_statement_only_its_kind_is_told() {
        let check = |statement: &str, expected| assert_eq!(postgres_operation(statement), expected, "{statement}");
        check("SELECT address FROM properties WHERE tenant = 'x'", Some("SELECT"));
        check("\n  with a AS (SELECT 1) SELECT 2", Some("WITH"));
        check("'a-secret'", None);
        check("SELECTED", None);
        check("", None);
    }
}
