//! Every link of a document leads somewhere, and every path that a document names is there.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use regex::Regex;

use testkit::project;

/// The documents of the project, by their paths, with their texts.
fn documents() -> Vec<(PathBuf, String)> {
    let mut documents: Vec<(PathBuf, String)> = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ]
    .map(|name| (project::root().join(name), project::read(name)))
    .into();
    for folder in [".gitlab", "crates", "docs", "schemas", "terraform"] {
        documents.extend(project::files(folder, ".md"));
    }
    documents
}

/// What stands outside of blocks of code.
fn prose(text: &str) -> String {
    Regex::new("(?ms)^ *```.*?^ *```$")
        .unwrap()
        .replace_all(text, "")
        .into_owned()
}

/// The anchors of the headings of a document, as GitLab makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let heading = Regex::new("(?m)^#+ (.+)$").unwrap();
    let dropped = Regex::new(r"[^\w\s-]").unwrap();
    heading
        .captures_iter(&prose(text))
        .map(|found| {
            let heading = found[1].trim().to_lowercase();
            dropped.replace_all(&heading, "").replace(' ', "-")
        })
        .collect()
}

/// What is wrong with a link from `document` to `target`.
fn objection(document: &Path, target: &str) -> Option<String> {
    if target.starts_with("https://") || target.starts_with("http://") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if file.is_empty() {
        document.to_owned()
    } else {
        document.parent().unwrap().join(file)
    };
    let what = match (file.exists(), anchor) {
        (false, _) => "is not there",
        (true, "") => return None,
        (true, anchor) => {
            let text = std::fs::read_to_string(&file).unwrap();
            if anchors(&text).contains(anchor) {
                return None;
            }
            "has no such heading"
        }
    };
    Some(format!("{}: {target} {what}", document.display()))
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let link = Regex::new(r"\]\(([^()\s]+)\)").unwrap();
    let documents = documents();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (path, text) in &documents {
        for found in link.captures_iter(&prose(text)) {
            seen += 1;
            wrong.extend(objection(path, &found[1]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 100, "only {seen} links were found");
}

#[test]
fn readme_links_every_document() {
    let readme = project::read("README.md");
    let linked = |path: &Path| {
        let path = path.strip_prefix(project::root()).unwrap();
        readme.contains(&format!("]({})", path.display()))
    };
    let documents = project::files("docs", ".md");
    let own = |path: &&PathBuf| path.parent() == Some(&project::root().join("docs"));
    let missing: Vec<PathBuf> = documents
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| own(&path) && !path.ends_with("docs/README.md"))
        .filter(|path| !linked(path))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The picture is drawn from the same recording as the text.
#[test]
fn the_picture_of_the_demo_shows_what_readme_shows() {
    let picture = project::read("docs/pictures/demo.svg");
    let line = Regex::new(r#"(?m)^<text class="line \w+".*?>(.*)</text>$"#).unwrap();
    let drawn: Vec<String> = line
        .captures_iter(&picture)
        .map(|found| {
            let text = found[1].replace("&lt;", "<").replace("&gt;", ">");
            text.replace("&amp;", "&")
        })
        .collect();
    let readme = project::read("README.md");
    let block = Regex::new(r"(?ms)^```\n(\d+ accounts in a simulated GitLab.*?)^```$").unwrap();
    let told = &block.captures(&readme).unwrap()[1];
    let told: Vec<&str> = told.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(drawn[0], "$ lookup-gitlab-sync demo");
    assert_eq!(drawn[1..], told);
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let named = Regex::new(
        r"`((?:src|tests|crates|benches|docs|schemas|terraform|migrations|\.ci|\.config)/[\w./-]*)`",
    )
    .unwrap();
    let mut seen = 0;
    let mut gone = Vec::new();
    for (path, text) in documents() {
        // What was released is told in the words of its day.
        if path.ends_with("CHANGELOG.md") {
            continue;
        }
        for found in named.captures_iter(&prose(&text)) {
            seen += 1;
            if !project::root().join(&found[1]).exists() {
                gone.push(format!("{}: {}", path.display(), &found[1]));
            }
        }
    }
    assert!(gone.is_empty(), "{}", gone.join("\n"));
    assert!(seen > 50, "only {seen} paths were found");
}

#[test]
fn every_test_that_the_reliability_document_names_is_there() {
    let claim = Regex::new("`([a-z0-9]+(?:_[a-z0-9]+){3,})`").unwrap();
    let sources: String = ["crates", "src", "tests"]
        .into_iter()
        .flat_map(|folder| project::files(folder, ".rs"))
        .map(|(_, text)| text)
        .collect();
    let text = project::read("docs/reliability.md");
    let named: BTreeSet<&str> = claim
        .captures_iter(&text)
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    assert!(named.len() > 50, "only {} tests were found", named.len());
    let gone: Vec<&&str> = named
        .iter()
        .filter(|name| !sources.contains(&format!("fn {name}(")))
        .collect();
    assert!(gone.is_empty(), "{gone:#?}");
}

#[test]
fn a_heading_has_the_anchor_that_gitlab_gives_it() {
    let text = "# The `run` of a day, and its end\n```sh\n# no heading\n```\n## guard-refused\n";
    assert_eq!(
        anchors(text).into_iter().collect::<Vec<_>>(),
        ["guard-refused", "the-run-of-a-day-and-its-end"]
    );
}
