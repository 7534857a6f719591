//! A panic's own text may hold what it met; the log says where it was.

use std::{hint::black_box, panic, sync::Mutex, thread};

use lookup_gitlab_sync::telemetry::{
    logs::{LineFormat, LogLines, filter, subscriber},
    panics,
};
use testkit::logs::LogBuffer;

/// Whose turn it is: there is one hook in a process.
static TURN: Mutex<()> = Mutex::new(());

/// What is logged when `panic` does; panics of other tests are told as ever.
fn log_of(panic: fn()) -> String {
    let buffer = LogBuffer::default();
    let writer = buffer.clone();
    let lines = LogLines::new(LineFormat::Json, None, jiff::Timestamp::now);
    let subscriber = subscriber(filter("info").unwrap(), lines, move || writer.clone());
    let turn = TURN.lock().unwrap();
    let here = thread::current().id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == here {
            panics::log(info);
        } else {
            before(info);
        }
    }));
    tracing::subscriber::with_default(subscriber, || {
        assert!(panic::catch_unwind(panic).is_err());
    });
    let _ = panic::take_hook();
    drop(turn);
    buffer.text()
}

#[test]
fn a_panic_is_one_line_that_says_where_and_not_what_it_met() {
    let name = "Sentinel\nFullname";
    let cases: [fn(); 3] = [
        || panic!("{} has no crsid", black_box("Sentinel\nFullname")),
        || {
            let index = "Sentinel\u{eb}".len() - 1;
            let _ = &"Sentinel\u{eb}"[..index];
        },
        || {
            let failed: Result<(), &str> = Err("Sentinel\nFullname");
            black_box(failed).unwrap();
        },
    ];
    for case in cases {
        let log = log_of(case);
        assert_eq!(log.lines().count(), 1, "{log}");
        let line: serde_json::Value = serde_json::from_str(&log).unwrap();
        assert_eq!(line["event"], "panicked");
        assert_eq!(line["severity"], "ERROR");
        let place = line["place"].as_str().unwrap();
        assert!(
            place.starts_with("tests/operations/security/panics.rs:"),
            "{place}"
        );
        assert!(!log.contains("Sentinel") && !log.contains(name), "{log}");
    }
}

#[test]
fn a_panic_with_a_text_of_our_own_says_it() {
    let log = log_of(|| panic!("the guard counted wrongly"));
    assert!(log.contains("the guard counted wrongly"), "{log}");
}
