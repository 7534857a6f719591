//! Mistakes planted in the module, one at a time: what the suite's Terraform tests do not notice
//! can happen to anybody.

mod operators;
mod planted;

use std::{
    env, fs,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use operators::{Mutant, Operators};
use testkit::project;

use super::{
    module_copy::{Copy, files_of},
    plan::Plan,
    tools::{Tools, say},
};

/// The widest first: most mistakes show there.
const EXAMPLES: [&str; 4] = ["namespaces", "production", "staging", "development"];

/// One thread's copies of the module, and what they are like without a mistake.
struct Judge<'a> {
    tools: &'a Tools,
    copy: Copy,
    variables: Copy,
    order: String,
    plans: Vec<String>,
}

impl<'a> Judge<'a> {
    fn new(tools: &'a Tools) -> Self {
        let copy = Copy::new();
        let plans = EXAMPLES
            .map(|example| Self::plan(tools, &copy, example).unwrap())
            .into();
        Self {
            tools,
            order: copy.order(),
            plans,
            copy,
            variables: Copy::variables_only(),
        }
    }

    fn plan(tools: &Tools, copy: &Copy, example: &str) -> Option<String> {
        let folder = copy.module().join("examples").join(example);
        Plan::of(tools, &folder, "").ok().map(|plan| plan.render())
    }

    /// What notices the mistake, cheapest first.
    fn notices(&self, mutant: &Mutant) -> Option<&'static str> {
        let place = self.copy.module().join(&mutant.file);
        let right = fs::read_to_string(&place).unwrap();
        fs::write(&place, &mutant.text).unwrap();
        let noticed = self.noticed(mutant);
        fs::write(&place, right).unwrap();
        noticed
    }

    fn noticed(&self, mutant: &Mutant) -> Option<&'static str> {
        if self.copy.order() != self.order {
            return Some("order");
        }
        if mutant.file.starts_with("variables") && !self.refuses_wrong_values(mutant) {
            return Some("wrong values");
        }
        for (example, right) in EXAMPLES.into_iter().zip(&self.plans) {
            if Self::plan(self.tools, &self.copy, example).as_ref() != Some(right) {
                return Some("plan");
            }
        }
        if !self.tools.static_check(&self.copy.module()).good {
            return Some("static check");
        }
        let tests = self.tools.terraform("test", &self.copy.module(), &[]);
        (!tests.good).then_some("tests")
    }

    fn refuses_wrong_values(&self, mutant: &Mutant) -> bool {
        let place = self.variables.module().join(&mutant.file);
        let right = fs::read_to_string(&place).unwrap();
        fs::write(&place, &mutant.text).unwrap();
        let tests = self.tools.terraform("test", &self.variables.module(), &[]);
        fs::write(&place, right).unwrap();
        tests.good
    }
}

/// Every mutant of the files whose names begin with `MUTATE`, or of all; of these every one, or one
/// of `MUTATE_EVERY`.
fn mutants() -> Vec<Mutant> {
    let wanted = env::var("MUTATE").unwrap_or_default();
    let files: Vec<(String, String)> = files_of(&project::path("terraform"))
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    let whole: String = files.iter().map(|(_, text)| text.as_str()).collect();
    let operators = Operators::new(&whole);
    let planted = planted::mutants(&files);
    let slips = files
        .iter()
        .flat_map(|(name, text)| operators.mutants(name, text));
    let all = planted.into_iter().chain(slips);
    let every = env::var("MUTATE_EVERY").map_or(1, |every| every.parse().unwrap());
    all.filter(|it| it.file.starts_with(&wanted))
        .step_by(every)
        .collect()
}

#[test]
#[ignore = "thousands of plans: `just mutations`"]
fn of_a_hundred_mistakes_in_the_module_at_least_95_are_noticed() {
    let Some(tools) = Tools::find() else { return };
    let mutants = mutants();
    let next = AtomicUsize::new(0);
    let survivors = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let judge = Judge::new(&tools);
                while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if judge.notices(mutant).is_none() {
                        let line = format!("{}:{}: {}", mutant.file, mutant.line, mutant.what);
                        say(&format!("not noticed: {line}"));
                        survivors.lock().unwrap().push(line);
                    }
                }
            });
        }
    });
    let survivors = survivors.into_inner().unwrap();
    let noticed = mutants.len() - survivors.len();
    say(&format!(
        "{noticed} of {} mistakes are noticed",
        mutants.len()
    ));
    assert!(
        noticed * 100 >= 95 * mutants.len(),
        "{}",
        survivors.join("\n")
    );
    let planted = survivors.iter().filter(|it| it.contains("planted"));
    assert_eq!(planted.count(), 0, "a planted mistake was not noticed");
}
