//! What Linux knows of a process, and of the machine.

use std::{fs, time::Duration};

/// Clock ticks in a second as `/proc` counts them: fixed on Linux (`USER_HZ`).
const TICKS: f64 = 100.0;

/// A process that runs.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

impl Process {
    pub const fn of(id: u32) -> Self {
        Self(id)
    }

    /// The most memory it ever held, in MiB.
    pub fn peak_mib(self) -> f64 {
        self.status("VmHWM:") / 1024.0
    }

    /// A line of `/proc/<id>/status`, in KiB.
    fn status(self, key: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Processor time used so far.
    pub fn cpu(self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap();
        // The second field is the name in brackets, which may hold blanks.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
        Duration::from_secs_f64((ticks(11) + ticks(12)) / TICKS)
    }
}

/// The machine in one line, and how busy it is now.
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let memory = fs::read_to_string("/proc/meminfo").unwrap();
    let kib: f64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let cores = std::thread::available_parallelism().unwrap();
    format!(
        "{cores} cores of {model}, {:.0} GiB, Linux {}",
        kib / 1024.0 / 1024.0,
        kernel.trim()
    )
}

/// The load average of the last minute.
pub fn load() -> f64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    load.split(' ').next().unwrap().parse().unwrap()
}
