//! Bytes from outside, changed at random: nothing panics, and each reader keeps its promises.
//!
//! The suite replays `tests/operations/corpus/<target>/` and some thousand changes of it from a
//! fixed seed. A campaign runs longer from a fresh seed: `FUZZ_SECONDS=600 cargo test --test
//! security fuzz::gitlab_page -- --nocapture`. An input that breaks a promise is written beside the
//! test binary; put it into the corpus together with what mends it.

use std::{
    collections::BTreeSet,
    env, fs,
    hash::{BuildHasher, RandomState},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::readers;

/// What the suite runs of each target beside its corpus.
const CHANGES: u64 = 1_000;
/// The longest input, in bytes.
const LONGEST: usize = 4_096;

/// Pieces that mean something to one reader or another.
const WORDS: [&str; 40] = [
    "null",
    "true",
    "false",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-1",
    "1e999",
    "18446744073709551616",
    "\\u0000",
    "\\ud800",
    "\"id\":",
    "\"crsid\":",
    "\"cause\":\"tick\"",
    "\"planned\":\"block\"",
    "\"cancelled\":true",
    "\"people\":",
    "\"custom_attributes\":",
    "\"identifier\":",
    "+2026-11-01 02:00:03 UTC",
    "+0100",
    "9999-12-31 23:59:60",
    "-00:00",
    "/",
    "+",
    ",",
    "\n",
    "\u{202e}",
    "\u{1b}[2J",
    "; rel=\"next\"",
    "<http://x/?cursor=a>",
    "attributes.",
    "hasPrefix(",
    " AND NOT ",
    "(",
    "\"\"\"",
    "[gitlab]",
    "P1M",
    "\u{0}",
];

/// Reads an input and says in a few words what became of it: new words make the input worth
/// changing further.
type Reader<'r> = &'r mut dyn FnMut(&[u8]) -> String;

/// Holds `reader` to its promises, which it asserts itself.
pub fn hold(target: &str, reader: Reader<'_>) {
    let folder = testkit::project::root()
        .join("tests/operations/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(!corpus.is_empty(), "{} is empty", folder.display());
    let mut outcomes: BTreeSet<String> = BTreeSet::new();
    for input in &corpus {
        outcomes.insert(read(target, reader, input));
    }
    let campaign = env::var("FUZZ_SECONDS")
        .ok()
        .map(|text| Duration::from_secs(text.parse().unwrap()));
    let seed = campaign.map_or(1, |_| RandomState::new().hash_one(target));
    let mut random = StdRng::seed_from_u64(seed);
    let (begun, mut executions) = (Instant::now(), 0_u64);
    while campaign.map_or(executions < CHANGES, |length| begun.elapsed() < length) {
        let input = changed(&mut random, &corpus);
        executions += 1;
        if outcomes.insert(read(target, reader, &input)) {
            corpus.push(input);
        }
    }
    println!(
        "{target}: seed {seed}, {executions} inputs, {} different outcomes",
        outcomes.len()
    );
}

fn read(target: &str, reader: Reader<'_>, input: &[u8]) -> String {
    let said = catch_unwind(AssertUnwindSafe(|| reader(input)));
    said.unwrap_or_else(|_| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{target}.broken"));
        fs::write(&path, input).unwrap();
        panic!("{target}: see above; the input is in {}", path.display());
    })
}

fn changed(random: &mut StdRng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = corpus.choose(random).unwrap().clone();
    for _ in 0..random.random_range(1..=6) {
        change(random, &mut input, corpus);
    }
    input.truncate(LONGEST);
    input
}

fn change(random: &mut StdRng, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let (from, to) = (
        random.random_range(0..=input.len()),
        random.random_range(0..=input.len()),
    );
    let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 64));
    let put =
        |input: &mut Vec<u8>, bytes: &[u8]| drop(input.splice(from..from, bytes.iter().copied()));
    match random.random_range(0..9) {
        0 => drop(input.drain(from..to)),
        1 => input.truncate(from),
        2 => {
            let copy = input[from..to].to_vec();
            put(input, &copy);
        }
        3 => put(input, WORDS.choose(random).unwrap().as_bytes()),
        4 => drop(input.splice(from..to, WORDS.choose(random).unwrap().bytes())),
        5 => put(input, &[random.random()]),
        6 => {
            let other = corpus.choose(random).unwrap();
            let cut = random.random_range(0..=other.len());
            input.truncate(from);
            input.extend_from_slice(&other[cut..]);
        }
        7 => {
            if let Some(byte) = input.get_mut(from) {
                *byte ^= 1 << random.random_range(0..8);
            }
        }
        _ => {
            let digits = input[from..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let number = [0, 1, u64::MAX, random.random()]
                .choose(random)
                .unwrap()
                .to_string();
            drop(input.splice(from..from + digits, number.bytes()));
        }
    }
}

macro_rules! targets {
    ($($target:ident)*) => {$(
        #[test]
        fn $target() {
            hold(stringify!($target), &mut readers::$target());
        }
    )*};
}

targets! {
    user_message tick_message gitlab_page gitlab_account gitlab_change lookup_people lookup_token
    marker blocked_by broker_filter configuration dead_letter
}
