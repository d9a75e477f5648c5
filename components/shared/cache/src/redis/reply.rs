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

/// What a line of INFO that begins with `name` says.
pub fn fact(info: &[Reply], name: &str) -> Option<String> {
    info.iter().find_map(|part| {
        let text = match part {
            Reply::Bytes(bytes) => std::str::from_utf8(bytes).ok()?,
            Reply::Status(text) => text,
            Reply::Nil | Reply::Integer(_) => return None,
        };
        text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    })
}

/// The part of INFO that is for an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How many bytes it uses.
    pub memory_bytes: Option<u64>,
    /// Whether it could last write what it keeps on disk: its append-only file, and its snapshot. `None` where it says
    /// nothing of it.
    pub aof_is_written: Option<bool>,
    /// See [`Facts::aof_is_written`].
    pub snapshot_is_written: Option<bool>,
}

impl Facts {
    /// Reads the answer of INFO.
    pub fn of(info: &[Reply]) -> Self {
        let is_ok = |name| fact(info, name).map(|status| status == "ok");
        Self {
            memory_bytes: fact(info, "used_memory:").and_then(|bytes| bytes.parse().ok()),
            aof_is_written: is_ok("aof_last_write_status:"),
            snapshot_is_written: is_ok("rdb_last_bgsave_status:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as Redis 7.0.15 writes them.
    #[test]
    fn memory_and_disk_are_read_from_info() {
        let of = |text: &str| Facts::of(&[Reply::Bytes(text.as_bytes().to_vec())]);
        let told = of("# Memory\r\nused_memory:1048576\r\nused_memory_human:1.00M\r\n# Persistence\r\n\
            rdb_last_bgsave_status:ok\r\naof_enabled:1\r\naof_last_bgrewrite_status:ok\r\naof_last_write_status:err\r\n");
        assert_eq!(told.memory_bytes, Some(1_048_576));
        assert_eq!((told.aof_is_written, told.snapshot_is_written), (Some(false), Some(true)));
        assert_eq!(of("# Server\r\n"), Facts::default());
    }

    #[test]
    fn a_fact_is_the_rest_of_its_line() {
        let info = [Reply::Nil, Reply::Bytes(b"# Server\r\nrun_id:abc \r\nrole:master\r\n".to_vec())];
        assert_eq!(fact(&info, "run_id:").as_deref(), Some("abc"));
        assert_eq!(fact(&info, "used_memory:"), None);
        assert_eq!(fact(&[Reply::Status("role:slave".into())], "role:").as_deref(), Some("slave"));
    }

    #[test]
    fn numbers_and_nothing_are_no_strings() {
        let answer = vec![Reply::Integer(1), Reply::Bytes(b"a".to_vec()), Reply::Nil, Reply::Status("OK".into())];
        assert_eq!(strings(answer).collect::<Vec<_>>(), [b"a".to_vec(), b"OK".to_vec()]);
    }
}
