//! The binary `lookup-gitlab-sync`.

fn main() {}
