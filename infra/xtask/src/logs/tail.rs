//! A file that grows, line by line.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The lines of a file that may not be there yet.
pub struct Tail {
    path: PathBuf,
    reader: Option<BufReader<File>>,
    /// What there is of a line whose end is not written yet.
    begun: Vec<u8>,
}

impl Tail {
    /// From the file's beginning.
    pub fn of(path: PathBuf) -> Tail {
        Tail { path, reader: None, begun: Vec::new() }
    }

    /// The next line without its end, if it is there. `is_last` takes what there is for a line when nothing more will come.
    pub fn next(&mut self, is_last: bool) -> Result<Option<String>> {
        let failed = || format!("cannot read {}", self.path.display());
        if self.reader.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.reader = Some(BufReader::new(file)),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error).with_context(failed),
            }
        }
        let Some(reader) = &mut self.reader else { return Ok(None) };
        reader.read_until(b'\n', &mut self.begun).with_context(failed)?;
        if !self.begun.ends_with(b"\n") && (self.begun.is_empty() || !is_last) {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&self.begun).trim_end_matches(['\n', '\r']).to_owned();
        self.begun.clear();
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_is_read_once_it_is_whole_and_the_last_one_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let mut tail = Tail::of(path.clone());
        assert_eq!(tail.next(true).expect("no file yet"), None);
        let mut file = File::create(&path).expect("a file");
        let mut write = |text: &str| file.write_all(text.as_bytes()).expect("written");
        write("one\r\ntw");
        assert_eq!(tail.next(false).expect("read").as_deref(), Some("one"));
        assert_eq!(tail.next(false).expect("read"), None);
        write("o\n\nth");
        assert_eq!(tail.next(false).expect("read").as_deref(), Some("two"));
        assert_eq!(tail.next(false).expect("read").as_deref(), Some(""));
        assert_eq!(tail.next(false).expect("read"), None);
        assert_eq!(tail.next(true).expect("read").as_deref(), Some("th"));
        assert_eq!(tail.next(true).expect("read"), None);
    }
}
