//! A machine's processors, memory and disk, as Linux tells them (proc(5)).

use std::io;
use std::path::{Path, PathBuf};

use ambo_model::ByteSize;
use serde::{Deserialize, Serialize};

/// A machine at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineSample {
    /// Its cores.
    pub cpu_count: u32,
    /// What they did since it was started.
    pub cpu: CpuTimes,
    /// Processes that ran or waited to, on average over the last minute.
    pub load: f64,
    /// Its memory.
    pub memory: ByteSize,
    /// Memory that programs could have without swapping.
    pub memory_available: ByteSize,
    /// The file system that was asked about.
    pub disk: ByteSize,
    /// What programs without privileges can still write there.
    pub disk_available: ByteSize,
}

/// Seconds of all cores together since the machine was started, by what they did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuTimes {
    /// Programs.
    pub user: f64,
    /// Programs that give way to others.
    pub nice: f64,
    /// The kernel, for programs.
    pub system: f64,
    /// Nothing.
    pub idle: f64,
    /// Nothing, while a disk was waited for.
    pub iowait: f64,
    /// Interrupts.
    pub irq: f64,
    /// What interrupts left to do.
    pub softirq: f64,
    /// Nothing of ours: the host gave the time to other machines.
    pub steal: f64,
}

/// Why a machine could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// A file or a file system cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file says something that it never did.
    #[error("{path} has an unknown form")]
    Form {
        /// Which.
        path: &'static str,
    },
}

const STAT: &str = "/proc/stat";
const MEMINFO: &str = "/proc/meminfo";
const LOADAVG: &str = "/proc/loadavg";

impl MachineSample {
    /// Measures this machine, and the file system that holds `disk`.
    ///
    /// # Errors
    /// When Linux does not tell.
    pub fn measure(disk: &Path) -> Result<Self, MachineError> {
        let failed = |source: rustix::io::Errno| MachineError::Read { path: disk.to_owned(), source: source.into() };
        let file_system = rustix::fs::statvfs(disk).map_err(failed)?;
        let stat = read(STAT)?;
        let (memory, memory_available) = parsed(MEMINFO, memory)?;
        Ok(Self {
            cpu_count: cpu_count(&stat),
            cpu: cpu_times(&stat, rustix::param::clock_ticks_per_second()).ok_or(MachineError::Form { path: STAT })?,
            load: parsed(LOADAVG, load)?,
            memory,
            memory_available,
            disk: ByteSize::bytes(file_system.f_blocks.saturating_mul(file_system.f_frsize)),
            disk_available: ByteSize::bytes(file_system.f_bavail.saturating_mul(file_system.f_frsize)),
        })
    }
}

fn read(path: &str) -> Result<String, MachineError> {
    std::fs::read_to_string(path).map_err(|source| MachineError::Read { path: PathBuf::from(path), source })
}

fn parsed<T>(path: &'static str, parse: fn(&str) -> Option<T>) -> Result<T, MachineError> {
    parse(&read(path)?).ok_or(MachineError::Form { path })
}

fn cpu_count(stat: &str) -> u32 {
    let cores = stat.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "));
    u32::try_from(cores.count()).unwrap_or(u32::MAX)
}

/// The first line: `cpu  user nice system idle iowait irq softirq steal …`, in ticks of the clock.
fn cpu_times(stat: &str, ticks_per_second: u64) -> Option<CpuTimes> {
    let ticks: Vec<u64> =
        stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().map_while(|field| field.parse().ok()).collect();
    #[expect(clippy::cast_precision_loss, reason = "two hundred million years of ticks have a form of their own")]
    let seconds = |index: usize| Some(*ticks.get(index)? as f64 / ticks_per_second as f64);
    Some(CpuTimes {
        user: seconds(0)?,
        nice: seconds(1)?,
        system: seconds(2)?,
        idle: seconds(3)?,
        iowait: seconds(4)?,
        irq: seconds(5)?,
        softirq: seconds(6)?,
        steal: seconds(7)?,
    })
}

/// `MemTotal` and `MemAvailable`.
fn memory(meminfo: &str) -> Option<(ByteSize, ByteSize)> {
    let value = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(ByteSize::kib(line.trim().strip_suffix(" kB")?.parse().ok()?))
    };
    Some((value("MemTotal")?, value("MemAvailable")?))
}

fn load(loadavg: &str) -> Option<f64> {
    loadavg.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_read_as_linux_writes_them() {
        let stat = "cpu  100 20 300 4000 50 6 7 8 0 0\ncpu0 50 10 150 2000 25 3 3 4 0 0\ncpu1 50 10 150 2000 25 3 4 4 0 0\nintr 1\n";
        let times = cpu_times(stat, 100).unwrap();
        assert_eq!((times.user, times.system, times.idle, times.steal), (1.0, 3.0, 40.0, 0.08));
        assert_eq!(cpu_count(stat), 2);
        assert_eq!(cpu_times("cpu  1 2 3\n", 100), None);
    }

    #[test]
    fn memory_and_load_are_read_as_linux_writes_them() {
        let text = "MemTotal:       16384 kB\nMemFree:          512 kB\nMemAvailable:    8192 kB\n";
        assert_eq!(memory(text), Some((ByteSize::mib(16), ByteSize::mib(8))));
        assert_eq!(memory("MemTotal: 1 kB\n"), None);
        assert_eq!(load("0.42 0.50 0.60 1/200 4242\n"), Some(0.42));
    }

    #[test]
    fn this_machine_can_be_measured() {
        let sample = MachineSample::measure(Path::new("/")).unwrap();
        assert!(sample.cpu_count >= 1 && sample.cpu.idle > 0.0);
        assert!(sample.memory_available > ByteSize::bytes(0) && sample.memory_available <= sample.memory);
        assert!(sample.disk_available <= sample.disk && sample.disk > ByteSize::bytes(0));
        let missing = MachineSample::measure(Path::new("/no/such/place")).unwrap_err();
        assert_eq!(missing.to_string(), "read /no/such/place");
    }
}
