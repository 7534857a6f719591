//! Outages that last, with thousands of messages waiting: under virtual time, and once more with
//! sockets.

mod in_memory;
mod with_sockets;
