//! A child process that cannot outlive its owner.

use std::collections::VecDeque;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpid, getppid};

/// A child in a process group of its own, so that Ctrl-C in the terminal reaches only us and we stop things in order.
pub(crate) struct Process {
    child: Child,
    /// Once reaped the pid may belong to someone else: no signal is sent after that.
    ended: AtomicBool,
}

impl Process {
    /// Starts `command`. `on_our_death` is the signal that the kernel sends to it when we are gone.
    pub(crate) fn spawn(mut command: Command, on_our_death: Signal) -> Result<Process> {
        let program = command.get_program().to_string_lossy().into_owned();
        let parent = getpid();
        command.stdin(Stdio::null()).process_group(0);
        let die_with_parent = move || {
            nix::sys::prctl::set_pdeathsig(on_our_death)?;
            // The parent may have died between the fork and the line above; the signal would then never come.
            if getppid() != parent {
                return Err(std::io::ErrorKind::NotFound.into());
            }
            Ok(())
        };
        #[expect(unsafe_code, reason = "between fork and exec only prctl and getppid run: both are async-signal-safe")]
        // SAFETY: the closure makes two system calls, allocates nothing and takes no lock.
        unsafe {
            command.pre_exec(die_with_parent);
        }
        let child = spawn_on_lasting_thread(command).with_context(|| format!("cannot start {program}"))?;
        Ok(Process { child, ended: AtomicBool::new(false) })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Sends `signal` to every process of the child's group.
    pub(crate) fn signal_group(&self, signal: Signal) {
        if !self.ended.load(Ordering::SeqCst) {
            // Fails only when the group is empty, which is what the caller wants.
            let _ = killpg(self.pid(), signal);
        }
    }

    /// Sends `signal` to the child alone.
    pub(crate) fn signal(&self, signal: Signal) {
        if !self.ended.load(Ordering::SeqCst) {
            let _ = kill(self.pid(), signal);
        }
    }

    /// Stops the child and all its descendants where they stand, also those in sessions of their own (as the
    /// processes of PostgreSQL are). None is missed: a stopped parent starts no more children.
    pub(crate) fn pause_tree(&self) {
        if self.ended.load(Ordering::SeqCst) {
            return;
        }
        self.signal_group(Signal::SIGSTOP);
        let mut known = Vec::new();
        loop {
            let fresh: Vec<Pid> = descendants(self.pid()).into_iter().filter(|pid| !known.contains(pid)).collect();
            if fresh.is_empty() {
                return;
            }
            for pid in fresh {
                let _ = kill(pid, Signal::SIGSTOP);
                known.push(pid);
            }
        }
    }

    /// Lets everything that [`Process::pause_tree`] stopped run on.
    pub(crate) fn resume_tree(&self) {
        if self.ended.load(Ordering::SeqCst) {
            return;
        }
        for pid in descendants(self.pid()) {
            let _ = kill(pid, Signal::SIGCONT);
        }
        self.signal_group(Signal::SIGCONT);
    }

    /// `SIGKILL` to the child and all its descendants, and waits until the child is gone.
    pub(crate) fn kill_tree(&mut self) {
        if self.ended.load(Ordering::SeqCst) {
            return;
        }
        // Stopped first: what is being killed must not start a replacement for a child that died before it.
        self.pause_tree();
        let descendants = descendants(self.pid());
        self.signal_group(Signal::SIGKILL);
        for pid in descendants {
            let _ = kill(pid, Signal::SIGKILL);
        }
        let _ = self.child.wait();
        self.ended.store(true, Ordering::SeqCst);
    }

    /// Asks with `signal`, waits for at most `patience`, then kills. Descendants never stay behind.
    pub(crate) fn stop(&mut self, signal: Signal, patience: Duration) {
        if self.ended.load(Ordering::SeqCst) {
            return;
        }
        self.resume_tree();
        self.signal(signal);
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(1);
        // The leader is not reaped until its group has been swept: an unreaped pid cannot be given to anyone else.
        while !self.is_zombie() {
            if Instant::now() >= deadline {
                return self.kill_tree();
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        self.signal_group(Signal::SIGKILL);
        let _ = self.child.wait();
        self.ended.store(true, Ordering::SeqCst);
    }

    fn is_zombie(&self) -> bool {
        stat(self.pid()).is_none_or(|stat| stat.state == 'Z')
    }

    /// How it ended, if it has. Whatever it left in its group is ended too.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        if !self.ended.load(Ordering::SeqCst) {
            if !self.is_zombie() {
                return None;
            }
            self.signal_group(Signal::SIGKILL);
        }
        let status = self.child.wait().ok()?;
        self.ended.store(true, Ordering::SeqCst);
        Some(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_tree();
    }
}

/// The kernel sends the parent-death signal when the *thread* that spawned the child ends, not the process. Tests
/// start servers on threads that come and go, so all children are spawned by one thread that never ends.
fn spawn_on_lasting_thread(command: Command) -> Result<Child> {
    type Job = (Command, mpsc::Sender<std::io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("stack-spawner".into())
            .spawn(move || {
                for (mut command, answer) in jobs {
                    let _ = answer.send(command.spawn());
                }
            })
            .expect("the operating system gives us a thread");
        sender
    });
    let (answer, result) = mpsc::channel();
    spawner.send((command, answer)).map_err(|_| anyhow!("the spawning thread has ended"))?;
    Ok(result.recv().context("the spawning thread has ended")??)
}

struct Stat {
    parent: i32,
    state: char,
}

/// The two fields of `/proc/PID/stat` that we need. The program's name may hold spaces and parentheses: the fields
/// are counted from the last closing one.
fn stat(pid: Pid) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some(Stat { state: fields.next()?.chars().next()?, parent: fields.next()?.parse().ok()? })
}

/// Every living descendant of `ancestor`.
fn descendants(ancestor: Pid) -> Vec<Pid> {
    let all: Vec<(Pid, i32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .filter_map(|pid| Some((pid, stat(pid)?.parent)))
        .collect();
    let mut found = vec![ancestor];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next].as_raw();
        found.extend(all.iter().filter(|(_, its_parent)| *its_parent == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// Polls `ready` with growing pauses until it succeeds, the process ends or `patience` runs out.
pub(crate) fn wait_until(
    process: &mut Process,
    patience: Duration,
    mut ready: impl FnMut() -> Result<()>,
) -> Result<(), NotReady> {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(2);
    loop {
        let error = match ready() {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if let Some(status) = process.exited() {
            return Err(NotReady::Exited(status));
        }
        if Instant::now() >= deadline {
            return Err(NotReady::TimedOut(error));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Why a server did not come up.
pub(crate) enum NotReady {
    Exited(ExitStatus),
    TimedOut(anyhow::Error),
}

impl NotReady {
    pub(crate) fn into_error(self, what: &str, log: &Path) -> anyhow::Error {
        let tail = tail(log);
        match self {
            NotReady::Exited(status) => {
                anyhow!("{what} ended while starting ({status}). Its last lines:\n{tail}")
            }
            NotReady::TimedOut(last) => last.context(format!("{what} did not answer in time. Its last lines:\n{tail}")),
        }
    }
}

/// The last lines of a log file, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines = VecDeque::new();
    for line in text.lines() {
        if lines.len() == 20 {
            lines.pop_front();
        }
        lines.push_back(line);
    }
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

/// Where `program` is, as the shell would find it.
pub fn find_on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Debian keeps servers in /usr/sbin, which an unprivileged user's PATH may not have.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|candidate| {
        use std::os::unix::fs::PermissionsExt;
        candidate.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}
