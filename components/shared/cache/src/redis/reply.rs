//! What Redis answers, by either protocol.

/// One part of an answer. Lists in lists come as one flat list of their parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    Nil,
    /// A number.
    Integer(i64),
    /// A value.
    Bytes(Vec<u8>),
    /// A word of Redis's own: `OK`.
    Status(String),
}

/// The parts that are strings.
pub fn strings(answer: Vec<Reply>) -> impl Iterator<Item = Vec<u8>> {
    answer.into_iter().filter_map(|part| match part {
        Reply::Bytes(bytes) => Some(bytes),
        Reply::Status(text) => Some(text.into_bytes()),
        Reply::Nil | Reply::Integer(_) => None,
    })
}

/// What INFO says by each of these names, in one pass: an instance's first request waits for it, and it has some 2 KB.
pub fn facts<const N: usize>(info: &[Reply], names: [&str; N]) -> [Option<String>; N] {
    let mut found = [const { None }; N];
    let texts = info.iter().filter_map(|part| match part {
        Reply::Bytes(bytes) => Some(bytes.as_slice()),
        Reply::Status(text) => Some(text.as_bytes()),
        Reply::Nil | Reply::Integer(_) => None,
    });
    for line in texts.flat_map(|text| text.split(|byte| *byte == b'\n')) {
        // Whether there is a colon where a name would end is what tells nearly all lines apart.
        let value = |name: &str| line.get(name.len() + 1..).filter(|_| line.get(name.len()) == Some(&b':'));
        for (name, fact) in names.iter().zip(&mut found) {
            if let Some(value) = value(name)
                && fact.is_none()
                && line.starts_with(name.as_bytes())
            {
                *fact = std::str::from_utf8(value).ok().map(|value| value.trim().to_owned());
            }
        }
    }
    found
}

/// The part of INFO that is for an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How many bytes it uses.
    pub memory_bytes: Option<u64>,
    /// How many clients are connected to it: each instance keeps one connection.
    pub connections: Option<u64>,
    /// Whether it could last write what it keeps on disk: its append-only file, and its snapshot. `None` where it says
    /// nothing of it.
    pub aof_is_written: Option<bool>,
    /// See [`Facts::aof_is_written`].
    pub snapshot_is_written: Option<bool>,
}

impl Facts {
    /// Reads the answer of INFO.
    pub fn of(info: &[Reply]) -> Self {
        let names = ["used_memory", "connected_clients", "aof_last_write_status", "rdb_last_bgsave_status"];
        let [memory, connections, aof, snapshot] = facts(info, names);
        let is_ok = |status: Option<String>| status.map(|status| status == "ok");
        Self {
            memory_bytes: memory.and_then(|bytes| bytes.parse().ok()),
            connections: connections.and_then(|connections| connections.parse().ok()),
            aof_is_written: is_ok(aof),
            snapshot_is_written: is_ok(snapshot),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as Redis 7.0.15 writes them.
    #[test]
    fn memory_connections_and_disk_are_read_from_info() {
        let of = |text: &str| Facts::of(&[Reply::Bytes(text.as_bytes().to_vec())]);
        let told = of(
            "# Clients\r\nconnected_clients:3\r\n# Memory\r\nused_memory:1048576\r\nused_memory_human:1.00M\r\n# Persistence\r\n\
            rdb_last_bgsave_status:ok\r\naof_enabled:1\r\naof_last_bgrewrite_status:ok\r\naof_last_write_status:err\r\n",
        );
        assert_eq!((told.memory_bytes, told.connections), (Some(1_048_576), Some(3)));
        assert_eq!((told.aof_is_written, told.snapshot_is_written), (Some(false), Some(true)));
        assert_eq!(of("# Server\r\n"), Facts::default());
    }

    #[test]
    fn a_fact_is_the_rest_of_its_line() {
        let info = [Reply::Nil, Reply::Bytes(b"# Server\r\nrun_id:abc \r\nrole:master\r\n".to_vec())];
        assert_eq!(facts(&info, ["run_id", "used_memory"]), [Some("abc".into()), None]);
        assert_eq!(facts(&[Reply::Status("role:slave".into())], ["role"]), [Some("slave".into())]);
    }

    #[test]
    fn numbers_and_nothing_are_no_strings() {
        let answer = vec![Reply::Integer(1), Reply::Bytes(b"a".to_vec()), Reply::Nil, Reply::Status("OK".into())];
        assert_eq!(strings(answer).collect::<Vec<_>>(), [b"a".to_vec(), b"OK".to_vec()]);
    }
}
