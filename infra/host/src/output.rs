//! What a component prints: it goes where the host's own messages go, and into a file of the component, as Spin has it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// How much a component may write at once: as on wasmtime's own standard error.
const WRITE_BYTES: usize = 1 << 20;

/// Where the standard output, or the standard error, of all instances of a component goes.
#[derive(Clone)]
pub struct Output(Arc<File>);

/// Both of a component.
#[derive(Clone)]
pub struct Outputs {
    /// `ID_stdout.txt`
    pub stdout: Output,
    /// `ID_stderr.txt`
    pub stderr: Output,
}

impl Outputs {
    /// Those of the component `id`, whose files are in `folder`: what they hold stays.
    pub fn open(folder: &Path, id: &str) -> Result<Outputs> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let open = |stream: &str| {
            let path = folder.join(format!("{id}_{stream}.txt"));
            let file = File::options().create(true).append(true).open(&path);
            anyhow::Ok(Output(Arc::new(file.with_context(|| format!("cannot write {}", path.display()))?)))
        };
        Ok(Outputs { stdout: open("stdout")?, stderr: open("stderr")? })
    }
}

impl Output {
    /// Small writes, to a file and a pipe that the operating system buffers: they are not handed to another thread. A component would
    /// panic if its log could not be written: what a full disk does not take is on standard error.
    fn print(&self, bytes: &[u8]) -> io::Result<()> {
        let _ = (&*self.0).write_all(bytes);
        io::stderr().write_all(bytes)
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes).map_err(|error| StreamError::LastOperationFailed(error.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.print(bytes).map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_of_a_component_has_a_file_to_which_later_hosts_add() {
        let folder = tempfile::tempdir().expect("a folder");
        let logs = folder.path().join("logs");
        for line in ["one\n", "two\n"] {
            let outputs = Outputs::open(&logs, "ops").expect("opened");
            outputs.stderr.p2_stream().write(Bytes::from_static(line.as_bytes())).expect("written");
        }
        let read = |name: &str| std::fs::read_to_string(logs.join(name)).expect(name);
        assert_eq!(read("ops_stderr.txt"), "one\ntwo\n");
        assert_eq!(read("ops_stdout.txt"), "");
    }
}
