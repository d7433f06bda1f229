//! What a process has cost so far, from Linux's `/proc` (proc(5)).

use std::fs;
use std::io;
use std::time::Duration;

use serde::Serialize;

/// Linux gives user space 100 ticks per second, whatever the kernel's own frequency.
const TICK: Duration = Duration::from_millis(10);

/// Memory of a process in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Memory {
    /// Resident now (`VmRSS`).
    pub resident_kib: u64,
    /// The most that was resident at any time (`VmHWM`).
    pub peak_kib: u64,
}

/// User and system time of all threads of a process, to 10 ms.
///
/// # Errors
/// There is no such process, or no `/proc`.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    ticks(&stat).map(|ticks| TICK * ticks).ok_or_else(|| unreadable("stat"))
}

/// The memory of a process.
///
/// # Errors
/// There is no such process, or no `/proc`.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name| kib(&status, name).ok_or_else(|| unreadable("status"));
    Ok(Memory { resident_kib: field("VmRSS:")?, peak_kib: field("VmHWM:")? })
}

/// Fields 14 and 15, counted from the name in parentheses, which may hold spaces and parentheses itself.
fn ticks(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

fn kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn unreadable(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("/proc/<pid>/{file} has another form than proc(5) says"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_moves_no_field() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 100 1 1";
        assert_eq!(ticks(stat), Some(300));
    }

    #[test]
    fn memory_is_read_in_kib() {
        let status = "Name:\tlmo\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        assert_eq!((kib(status, "VmRSS:"), kib(status, "VmHWM:")), (Some(10240), Some(20480)));
    }

    #[test]
    fn this_process_has_memory_and_time() {
        let pid = std::process::id();
        let memory = memory(pid).unwrap();
        assert!(memory.resident_kib > 0 && memory.peak_kib >= memory.resident_kib);
        assert!(cpu_time(pid).is_ok());
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        assert!(cpu_time(u32::MAX).is_err());
    }
}
