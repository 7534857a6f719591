//! Ports for servers whose address has to be known before they start, or that come back on the same
//! one.
//!
//! A port that the system hands out and gets back may be an outgoing connection's a moment later.
//! These lie below the range that it hands out from, and a locked file keeps each for one process
//! as long as that lives.

use std::{
    fs::{self, File},
    net::TcpListener,
    sync::{
        Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

/// Well above what is registered for known services.
const LOWEST: u16 = 12_000;
/// Where Linux begins by default to hand out ports.
const DEFAULT_END: u16 = 32_768;

/// A port of 127.0.0.1 that is nobody else's while this process lives.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    static KEPT: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let folder = std::env::temp_dir().join("lgs-ports");
    fs::create_dir_all(&folder).unwrap();
    let ports = LOWEST..end();
    // Processes begin at different places, so that they seldom meet.
    let first =
        u16::try_from(std::process::id().wrapping_mul(97) % u32::from(ports.end - ports.start))
            .unwrap();
    for _ in ports.clone() {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = ports.start + first.wrapping_add(step) % (ports.end - ports.start);
        let file = File::create(folder.join(port.to_string())).unwrap();
        if file.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            KEPT.lock().unwrap().push(file);
            return port;
        }
    }
    panic!("no free port in {ports:?}");
}

fn end() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range
        .split_whitespace()
        .next()
        .and_then(|first| first.parse().ok());
    first.filter(|first| *first > LOWEST).unwrap_or(DEFAULT_END)
}
