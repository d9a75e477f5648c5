//! The statements that the components send, as PostgreSQL writes them into its log, with the values that they sent.

use std::io::{Read, Seek, SeekFrom};

use super::{Private, eventually, postgres_log};

/// How a statement of a component makes the setting of its tenant: one that reads, and one that writes.
const OPENINGS: [&str; 2] = ["set_config('renttracker.tenant', $1, true)", "FROM begin_write($1, "];

/// How the line of the values begins: in PostgreSQL 15, and in newer ones (the matrix has 18).
const PARAMETERS: [&str; 2] = ["DETAIL:  parameters: ", "DETAIL:  Parameters: "];

/// One statement of a component.
#[derive(Debug)]
pub struct Sent {
    /// The text, with `$1` and so on in it.
    pub text: String,
    /// The values of its parameters; `None` is `NULL`.
    pub values: Vec<Option<String>>,
}

impl Sent {
    /// The text with each parameter replaced by its value as a literal, but `$1`, which is `first`, and until when a write
    /// may start, which is for ever.
    pub fn with_values(&self, first: &str) -> String {
        let quoted = |value: &str| format!("'{}'", value.replace('\'', "''"));
        let mut pieces = self.text.split('$');
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
            let number: usize = piece[..piece.len() - rest.len()].parse().expect("a parameter's number");
            let value = match number {
                1 => quoted(first),
                // A write is refused when it comes after its client has stopped waiting, as this one does.
                last if last == self.values.len() && self.text.contains(OPENINGS[1]) => i64::MAX.to_string(),
                _ => self.values[number - 1].as_deref().map_or("NULL".to_owned(), quoted),
            };
            text.push_str(&value);
            text.push_str(rest);
        }
        text
    }
}

/// The log of one database.
pub struct Statements {
    database: String,
}

impl Statements {
    /// Turns the log on for the sessions that start from now on.
    pub fn of(own: &Private) -> Statements {
        let mut sql = own.sql();
        let database: String = sql.query_one("SELECT current_database()::text", &[]).expect("a name").get(0);
        for setting in ["log_min_duration_statement = 0", "log_parameter_max_length = -1"] {
            sql.batch_execute(&format!("ALTER DATABASE {database} SET {setting}")).expect(setting);
        }
        Statements { database }
    }

    /// The statements on a tenant's rows that were sent while `act` ran: at least one.
    pub fn during(&self, act: impl FnOnce()) -> Vec<Sent> {
        let mut log = std::fs::File::open(postgres_log()).expect("PostgreSQL's log");
        let start = log.seek(SeekFrom::End(0)).expect("its end");
        act();
        eventually("a statement in the log", || {
            log.seek(SeekFrom::Start(start)).ok()?;
            let mut text = Vec::new();
            log.read_to_end(&mut text).ok()?;
            let sent = sent_in(&String::from_utf8_lossy(&text), &self.database);
            (!sent.is_empty()).then_some(sent)
        })
    }
}

/// The statements that make the setting of the tenant, of one database.
fn sent_in(log: &str, database: &str) -> Vec<Sent> {
    // A line that begins with a tab goes on with the one before.
    let log = log.replace("\n\t", "\u{1e}");
    let mut sent: Vec<(String, Sent)> = Vec::new();
    for line in log.lines() {
        let line = line.replace('\u{1e}', "\n");
        let Some((prefix, message)) = line.split_once(&format!(" {database} ")) else { continue };
        let process = prefix.split_once('[').map_or(prefix, |(_, process)| process).to_owned();
        let statement = message.split_once(" execute ").and_then(|(_, statement)| statement.split_once(": "));
        if let Some((_, text)) = statement.filter(|(_, text)| OPENINGS.iter().any(|opening| text.contains(opening))) {
            sent.push((process, Sent { text: text.to_owned(), values: Vec::new() }));
        } else if let Some(values) = PARAMETERS.iter().find_map(|start| message.strip_prefix(start))
            && let Some((_, last)) = sent.iter_mut().rfind(|(its, last)| *its == process && last.values.is_empty())
        {
            last.values = values_in(values);
        }
    }
    sent.into_iter().map(|(_, sent)| sent).filter(|sent| !sent.values.is_empty()).collect()
}

/// From `$1 = 'it''s', $2 = NULL`.
fn values_in(text: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let mut rest = text;
    while let Some((_, value)) = rest.split_once(" = ") {
        let Some(quoted) = value.strip_prefix('\'') else {
            values.push(None);
            rest = value;
            continue;
        };
        // A quotation mark that is no pair ends the value.
        let pairs = quoted.replace("''", "\u{1d}\u{1d}");
        let end = pairs.find('\'').expect("a closing quotation mark");
        values.push(Some(quoted[..end].replace("''", "'")));
        rest = &quoted[end..];
    }
    values
}
