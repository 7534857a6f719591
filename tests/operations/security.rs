//! What leaves the process: no secret, nobody's name, and nothing that a terminal would act on.

mod configuration;
mod fuzz;
mod hostile;
mod leaks;
mod misuse;
mod panics;
mod readers;
mod recorded;
mod wire;
