//! The plan of a folder as Terraform evaluates it, with each value that only the cloud would know
//! written as the resource and attribute it comes from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use regex::Regex;
use serde_json::Value;
use testkit::project;

use super::tools::{Tools, Verdict};

/// What the module is given where an example leaves it open.
const VARIABLES: &str = r#"
variables {
  project_id = "sync-test"
  image      = "europe-west2-docker.pkg.dev/sync-test/lookup-sync/lookup-gitlab-sync@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
}
"#;

/// Attributes that others refer to and that the provider fills. `id` is one of every resource.
const FILLED: [&str; 7] = [
    "connection_name",
    "email",
    "member",
    "name",
    "private_ip_address",
    "uri",
    "writer_identity",
];

/// A plan.
pub struct Plan {
    plan: Value,
    /// The words of the files, which a value made up by Terraform is not among.
    words: BTreeSet<String>,
}

impl Plan {
    /// Of an example, whose variables are those above and then `more`; or why there is none.
    pub fn of(tools: &Tools, example: &Path, more: &str) -> Result<Self, Verdict> {
        let tests = example.join("tests");
        fs::create_dir_all(&tests).unwrap();
        let variables = if more.is_empty() { VARIABLES } else { more };
        let text = format!(
            "{}{variables}run \"plan\" {{\n  command = plan\n}}\n",
            mock()
        );
        fs::write(tests.join("plan.tftest.hcl"), text).unwrap();
        let verdict = tools.terraform("test", example, &["-json", "-verbose"]);
        let plan = verdict
            .said
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find_map(|event| event.get("test_plan").cloned());
        match plan {
            Some(plan) if verdict.good => Ok(Self {
                plan,
                words: words(example),
            }),
            _ => Err(verdict),
        }
    }

    /// The addresses of what it makes.
    pub fn addresses(&self) -> String {
        let lines: Vec<&str> = self.resources().map(|(address, _)| address).collect();
        lines.join("\n")
    }

    /// A line a value: resources by address, then outputs.
    pub fn render(&self) -> String {
        let owners = self.owners();
        let mut text = String::new();
        for (address, after) in self.resources() {
            writeln!(text, "{address}").unwrap();
            self.flatten(&mut text, &owners, "", after);
        }
        writeln!(text, "outputs").unwrap();
        for (_, output) in self.plan["output_changes"].as_object().unwrap() {
            self.flatten(&mut text, &owners, "", &output["after"]);
        }
        text
    }

    fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        let changes = self.plan["resource_changes"].as_array().unwrap();
        changes.iter().map(|change| {
            let address = change["address"].as_str().unwrap();
            let address = address.strip_prefix("module.sync.").unwrap_or(address);
            (address, &change["change"]["after"])
        })
    }

    /// Which attribute each made-up value stands for.
    fn owners(&self) -> BTreeMap<String, String> {
        let mut owners = BTreeMap::new();
        for (address, after) in self.resources() {
            for attribute in FILLED.into_iter().chain(["id"]) {
                if let Some(value) = after[attribute].as_str()
                    && self.is_made_up(value)
                {
                    owners.insert(value.to_owned(), format!("<{address}.{attribute}>"));
                }
            }
        }
        owners
    }

    /// Terraform makes eight letters and digits up where the provider would answer.
    fn is_made_up(&self, value: &str) -> bool {
        value.len() == 8
            && value
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && !self.words.contains(value)
    }

    fn flatten(
        &self,
        text: &mut String,
        owners: &BTreeMap<String, String>,
        at: &str,
        value: &Value,
    ) {
        let below = |name: &str| {
            if at.is_empty() {
                name.to_owned()
            } else {
                format!("{at}.{name}")
            }
        };
        match value {
            Value::Null => {}
            Value::Object(fields) => {
                for (name, field) in fields {
                    self.flatten(text, owners, &below(name), field);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.flatten(text, owners, &below(&index.to_string()), item);
                }
            }
            Value::String(string) => {
                let inner = serde_json::from_str::<Value>(string).ok();
                if let Some(inner) = inner.filter(|inner| inner.is_object() || inner.is_array()) {
                    self.flatten(text, owners, at, &inner);
                } else if let Some(shown) = self.shown(owners, at, string) {
                    writeln!(text, "  {at} = {shown:?}").unwrap();
                }
            }
            Value::Bool(_) | Value::Number(_) => writeln!(text, "  {at} = {value}").unwrap(),
        }
    }

    /// A string with its made-up parts named; nothing where it is one that nobody refers to.
    fn shown(&self, owners: &BTreeMap<String, String>, at: &str, value: &str) -> Option<String> {
        if self.is_made_up(value) {
            // What the resource itself is filled with says nothing.
            let own = FILLED.contains(&at) || at == "id";
            return owners.get(value).filter(|_| !own).cloned();
        }
        let mut shown = value.to_owned();
        for (made_up, owner) in owners {
            shown = shown.replace(made_up, owner);
        }
        Some(shown)
    }
}

/// A provider that fills what the module refers to while it plans: each type has to be named.
fn mock() -> String {
    let types = Regex::new(r#"(?m)^resource "(google_[a-z0-9_]+)""#).unwrap();
    let module = project::files("terraform", ".tf");
    let types: BTreeSet<&str> = module
        .iter()
        .flat_map(|(_, text)| types.captures_iter(text))
        .filter_map(|found| Some(found.get(1)?.as_str()))
        .collect();
    let mut text = String::from(
        "mock_provider \"google\" {\n  override_during = plan\n  mock_data \"google_project\" {\n    defaults = { number = \"123456789012\" }\n  }\n",
    );
    for name in types {
        writeln!(text, "  mock_resource \"{name}\" {{}}").unwrap();
    }
    text + "}\n"
}

/// Every word of the module and the example.
fn words(example: &Path) -> BTreeSet<String> {
    let word = Regex::new("[a-z0-9]+").unwrap();
    let module = example.ancestors().find(|it| it.ends_with("terraform"));
    let mut words = BTreeSet::new();
    for folder in [Some(example), module].into_iter().flatten() {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|it| it == "tf") {
                let text = fs::read_to_string(path).unwrap();
                words.extend(word.find_iter(&text).map(|found| found.as_str().to_owned()));
            }
        }
    }
    words
}
