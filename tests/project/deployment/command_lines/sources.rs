//! Where command lines stand: in documents, in the files of the pipelines, and in their scripts.

use std::{fs, path::Path, sync::LazyLock};

use regex::Regex;
use serde_json::Value;
use testkit::project;

use super::shell;

/// What a variable adds to a line where it is set.
static ADDED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$\{\w+:\+([^}]*)\}").unwrap());

/// What GitHub puts into a script before a shell reads it.
static EXPRESSION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$\{\{.*?\}\}").unwrap());

/// One line, and where it stands.
pub struct CommandLine {
    /// The file, from the root of the project.
    pub place: String,
    /// Its words; the first is the tool.
    pub words: Vec<String>,
    /// Not a mention within a sentence, where arguments may be left out.
    pub whole: bool,
}

/// Every line of the project that runs one of these tools.
pub fn lines_of(is_tool: impl Fn(&str) -> bool) -> Vec<CommandLine> {
    let mut lines = Vec::new();
    for (place, text) in documents() {
        for (script, whole) in scripts_of_a_document(&text) {
            lines.extend(read(&place, &script, whole));
        }
    }
    for (place, text) in texts(&[".ci"], "") {
        lines.extend(read(&place, &text, true));
    }
    for (place, text) in pipelines() {
        let mut scripts = Vec::new();
        scripts_of_a_pipeline(&serde_saphyr::from_str(&text).unwrap(), &mut scripts);
        for script in scripts {
            lines.extend(read(&place, &script, true));
        }
    }
    lines.retain(|line| is_tool(&line.words[0]));
    lines
}

fn read(place: &str, script: &str, whole: bool) -> impl Iterator<Item = CommandLine> {
    shell::commands(&ADDED.replace_all(script, "$1"))
        .into_iter()
        // A tool that is named alone is a word of a sentence, or the name of a function.
        .filter(|words| words.len() > 1)
        .map(move |words| CommandLine {
            place: place.to_owned(),
            words,
            whole,
        })
}

fn documents() -> Vec<(String, String)> {
    let mut documents = texts(&["docs"], ".md");
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        documents.push((name.to_owned(), project::read(name)));
    }
    documents
}

/// The files that a forge reads.
pub fn pipelines() -> Vec<(String, String)> {
    let mut pipelines = texts(&[".github/workflows"], ".yml");
    pipelines.extend(
        fs::read_to_string(project::path(".gitlab-ci.yml"))
            .map(|text| (".gitlab-ci.yml".to_owned(), text)),
    );
    pipelines
}

/// The files of folders that need not be there, by their paths from the root.
fn texts(folders: &[&str], ending: &str) -> Vec<(String, String)> {
    let relative = |path: &Path| {
        let path = path.strip_prefix(project::root()).unwrap();
        path.display().to_string()
    };
    folders
        .iter()
        .filter(|folder| project::path(folder).exists())
        .flat_map(|folder| project::files(folder, ending))
        .map(|(path, text)| (relative(&path), text))
        .collect()
}

/// Blocks of shell as they are, and the code within sentences.
fn scripts_of_a_document(text: &str) -> Vec<(String, bool)> {
    let block = Regex::new(r"(?ms)^ *```(\w*)[^\n]*\n(.*?)^ *```$").unwrap();
    let code = Regex::new("`([^`]+)`").unwrap();
    let blocks = block
        .captures_iter(text)
        .filter(|found| matches!(&found[1], "sh" | "bash" | "console"))
        .map(|found| (found[2].to_owned(), true));
    let prose = block.replace_all(text, "");
    let spans = code
        .captures_iter(&prose)
        .map(|found| (found[1].to_owned(), false));
    blocks.chain(spans).collect()
}

/// What the jobs of a pipeline run, in GitLab's words or in GitHub's.
fn scripts_of_a_pipeline(value: &Value, scripts: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, inner) in entries {
                let is_script = matches!(
                    key.as_str(),
                    "run" | "script" | "before_script" | "after_script"
                );
                match inner {
                    Value::String(script) if is_script => {
                        scripts.push(EXPRESSION.replace_all(script, "EXPRESSION").into_owned());
                    }
                    Value::Array(lines) if is_script => {
                        scripts.extend(lines.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    other => scripts_of_a_pipeline(other, scripts),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                scripts_of_a_pipeline(item, scripts);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}
