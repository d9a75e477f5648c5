//! What the kernel says of a process, in `/proc`.

use anyhow::{Context, Result};

/// The kernel's ticks of processor time in a second: 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cpu {
    /// In user mode.
    pub user: f64,
    /// In the kernel, for this process.
    pub kernel: f64,
}

impl Cpu {
    /// What a process has used since it began.
    pub fn of(pid: u32) -> Result<Cpu> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the server is gone")?;
        Cpu::parse(&text).context("/proc has another form")
    }

    fn parse(stat: &str) -> Option<Cpu> {
        // The name stands in parentheses and may hold anything; behind it, time in user and kernel mode are the 12th and 13th.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut micros = || Some(fields.next()?.parse::<f64>().ok()? * 1e6 / TICKS_PER_SECOND);
        Some(Cpu { user: micros()?, kernel: micros()? })
    }

    /// In both modes.
    pub fn both(self) -> f64 {
        self.user + self.kernel
    }

    /// The share of one of `count` requests in what has come since `before`.
    pub fn of_each(self, before: Cpu, count: f64) -> Cpu {
        Cpu { user: (self.user - before.user) / count, kernel: (self.kernel - before.kernel) / count }
    }
}

/// Memory that is in RAM, in KiB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// All of it (`VmRSS`). A page that is mapped twice counts twice: the data that instances share until they write to it does.
    pub resident: f64,
    /// What is this process's alone (`RssAnon`).
    pub anonymous: f64,
}

impl Memory {
    /// What a process has now.
    pub fn of(pid: u32) -> Result<Memory> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the server is gone")?;
        Memory::parse(&text).context("/proc has another form")
    }

    fn parse(status: &str) -> Option<Memory> {
        let kib = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            value.trim().strip_suffix(" kB")?.parse().ok()
        };
        Some(Memory { resident: kib("VmRSS")?, anonymous: kib("RssAnon")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_kernel_time_are_told_apart_whatever_the_name_is() {
        let stat = "7 (a) 9 (b) S 1 7 7 0 -1 4194560 100 0 0 0 250 30 5 6 20 0 1 0 99 1000 10";
        assert_eq!(Cpu::parse(stat), Some(Cpu { user: 2.5e6, kernel: 0.3e6 }));
        assert_eq!(Cpu::parse("7 (a) S 1"), None);
        assert_eq!(Cpu::parse(""), None);
    }

    #[test]
    fn each_request_has_its_share_of_what_has_come_since() {
        let (before, after) = (Cpu { user: 100.0, kernel: 10.0 }, Cpu { user: 500.0, kernel: 30.0 });
        let each = after.of_each(before, 4.0);
        assert_eq!(each, Cpu { user: 100.0, kernel: 5.0 });
        assert_eq!(each.both(), 105.0);
    }

    #[test]
    fn memory_is_read_from_its_lines() {
        let status = "Name:\tVmRSS\nVmHWM:\t  900 kB\nVmRSS:\t   812 kB\nRssAnon:\t  300 kB\n";
        assert_eq!(Memory::parse(status), Some(Memory { resident: 812.0, anonymous: 300.0 }));
        assert_eq!(Memory::parse("VmRSS:\t   812 kB\n"), None);
    }

    #[test]
    fn our_own_process_can_be_read() {
        let pid = std::process::id();
        assert!(Cpu::of(pid).expect("a time").both() >= 0.0);
        assert!(Memory::of(pid).expect("memory").resident > 0.0);
    }
}
