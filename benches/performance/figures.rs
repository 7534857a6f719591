//! What was measured, kept in `docs/performance.json` so that one measurement can be taken anew
//! without the others.

use std::{collections::BTreeMap, fs};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{binary, process};

const FILE: &str = "docs/performance.json";

/// All measurements by name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    pub machine: String,
    pub rustc: String,
    pub measurements: BTreeMap<String, Measurement>,
    /// Whether they go to the file.
    #[serde(skip)]
    pub keep: bool,
}

/// One measurement, as it was taken last.
#[derive(Debug, Serialize, Deserialize)]
pub struct Measurement {
    pub taken: Timestamp,
    /// Load average of the minute before.
    pub load_before: f64,
    pub seconds: f64,
    pub rows: Vec<Row>,
}

/// What was measured of one subject.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    /// What is compared, such as `service`.
    pub subject: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub users: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latency_ms: Option<u64>,
    /// Each figure by its name, with one value for each repetition.
    pub samples: BTreeMap<String, Samples>,
}

/// The values of one figure.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Samples(pub Vec<f64>);

impl Figures {
    /// What the file holds, or nothing.
    pub fn read() -> Self {
        let text = fs::read_to_string(binary::project(FILE));
        text.map_or_else(
            |_| Self::default(),
            |text| serde_json::from_str(&text).unwrap(),
        )
    }

    pub fn write(&self) {
        let mut text = serde_json::to_string_pretty(self).unwrap();
        text.push('\n');
        fs::write(binary::project(FILE), text).unwrap();
    }

    /// Takes a measurement and keeps it in place of its last one.
    pub async fn take(&mut self, name: &str, measure: impl Future<Output = Vec<Row>>) {
        println!("{name}: load average {:.2}", process::load());
        let (taken, load_before) = (Timestamp::now(), process::load());
        let rows = measure.await;
        let seconds = Timestamp::now().duration_since(taken).as_secs_f64();
        self.machine = process::machine();
        self.rustc = rustc();
        let measurement = Measurement {
            taken,
            load_before,
            seconds,
            rows,
        };
        self.measurements.insert(name.to_owned(), measurement);
        if self.keep {
            self.write();
        }
    }

    /// The row of a subject.
    pub fn row(
        &self,
        name: &str,
        subject: &str,
        users: Option<usize>,
        latency_ms: Option<u64>,
    ) -> Option<&Row> {
        self.measurements.get(name)?.rows.iter().find(|row| {
            row.subject == subject && row.users == users && row.latency_ms == latency_ms
        })
    }
}

impl Row {
    pub fn of(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            ..Self::default()
        }
    }

    pub fn users(mut self, users: usize) -> Self {
        self.users = Some(users);
        self
    }

    pub fn latency(mut self, milliseconds: u64) -> Self {
        self.latency_ms = Some(milliseconds);
        self
    }

    /// Adds a value to a figure.
    pub fn add(&mut self, figure: &str, value: f64) {
        // A millionth is finer than anything here is measured.
        let rounded = (value * 1e6).round() / 1e6;
        self.samples
            .entry(figure.to_owned())
            .or_default()
            .0
            .push(rounded);
    }

    pub fn with(mut self, figure: &str, value: f64) -> Self {
        self.add(figure, value);
        self
    }

    pub fn get(&self, figure: &str) -> Option<&Samples> {
        self.samples.get(figure)
    }
}

impl Samples {
    fn sorted(&self) -> Vec<f64> {
        let mut values = self.0.clone();
        values.sort_by(f64::total_cmp);
        values
    }

    pub fn median(&self) -> f64 {
        let values = self.sorted();
        let middle = values.len() / 2;
        if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        }
    }

    pub fn least(&self) -> f64 {
        self.sorted()[0]
    }

    pub fn most(&self) -> f64 {
        *self.sorted().last().unwrap()
    }
}

fn rustc() -> String {
    let output = std::process::Command::new("rustc")
        .arg("--version")
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
