//! What Redis answers, whichever way it is spoken to.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_what_its_line_says() {
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
