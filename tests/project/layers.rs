//! Holds the layers: a module of `src/` uses only what stands below it, and no crate of `crates/`
//! the service.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// From the lowest to the highest. Modules on one line do not know each other either.
const LAYERS: [&[&str]; 11] = [
    &["crsid", "failpoint", "keyed_lock", "moment"],
    &["telemetry"],
    &["config"],
    &["gate", "pause"],
    &["upstream"],
    &["directory"],
    &["gitlab"],
    &["messaging"],
    &["users", "namespaces"],
    &["app"],
    &["cli"],
];

#[test]
fn no_module_uses_what_stands_above_it() {
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    let mut arrows = 0;
    let mut wrong = Vec::new();
    for file in files {
        let Some(module) = module_of(&file) else {
            continue;
        };
        let used = used_modules(&fs::read_to_string(&file).unwrap());
        arrows += used.len();
        wrong.extend(used.iter().filter_map(|(line, used)| {
            let objection = objection(&module, used)?;
            Some(format!("{}:{line}: {objection}", file.display()))
        }));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(arrows > 5, "the reader of paths finds some");
}

#[test]
fn every_module_has_its_layer() {
    for entry in fs::read_dir("src").unwrap() {
        let path = entry.unwrap().path();
        if let Some(module) = module_of(&path) {
            assert!(
                layer(&module).is_some(),
                "{module} is in no layer of tests/project/layers.rs"
            );
        }
    }
}

/// The simulated servers are there to find mistakes in the service; sharing its types would hide
/// them. Even a `[dev-dependencies]` would do, which Cargo allows in a circle.
#[test]
fn no_crate_depends_on_the_service() {
    let root = testkit::project::root();
    let mut crates = 0;
    for entry in fs::read_dir(root.join("crates")).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        crates += 1;
        assert!(
            !text.contains("lookup-gitlab-sync"),
            "{} names the service",
            manifest.display()
        );
    }
    assert!(crates >= 3, "the crates are found");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The module a file belongs to; `None` for the two roots of the crate and what is no Rust.
fn module_of(file: &Path) -> Option<String> {
    let first = file.strip_prefix("src").ok()?.components().next()?;
    let name = Path::new(&first).to_str()?;
    let module = name.strip_suffix(".rs").unwrap_or(name);
    (!matches!(module, "lib" | "main") && !module.contains('.')).then(|| module.to_owned())
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Why `module` may not use `used`.
fn objection(module: &str, used: &str) -> Option<String> {
    if module == used {
        return None;
    }
    let (Some(here), Some(there)) = (layer(module), layer(used)) else {
        return Some(format!(
            "{module} uses {used}, and one of them is in no layer"
        ));
    };
    (there >= here).then(|| format!("{module} uses {used}, which does not stand below it"))
}

/// The modules that `crate::` paths of a file lead to, each with its line.
fn used_modules(text: &str) -> Vec<(usize, String)> {
    let code = without_comments_and_texts(text);
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let Some(path) = code[at + "crate".len()..].trim_start().strip_prefix("::") else {
            continue;
        };
        let line = code[..at].matches('\n').count() + 1;
        used.extend(
            heads(path.trim_start())
                .into_iter()
                .map(|module| (line, module)),
        );
    }
    used
}

/// What a path or a group of paths begins with: `a` of `a::b`, `a` and `c` of `{a::b, c::{d, e}}`.
fn heads(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return Vec::from_iter(identifier(path));
    };
    let mut heads = Vec::new();
    let mut depth = 0_usize;
    let mut item = 0;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                heads.extend(identifier(group[item..at].trim_start()));
                item = at + 1;
                if character == '}' {
                    return heads;
                }
            }
            _ => {}
        }
    }
    heads
}

fn identifier(path: &str) -> Option<String> {
    let path = path.strip_prefix("r#").unwrap_or(path);
    let name: String = path
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}

/// The code with comments, texts and characters blanked, its lines kept. Links in the documentation
/// may lead anywhere.
fn without_comments_and_texts(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let blank = blank_length(rest, code.chars().next_back());
        let (taken, left) = rest.split_at(blank.unwrap_or(character.len_utf8()));
        match blank {
            Some(_) => code.extend(taken.chars().map(|c| if c == '\n' { c } else { ' ' })),
            None => code.push(character),
        }
        rest = left;
    }
    code
}

/// The bytes of the comment, text or character that `rest` begins with; `None` if it does not.
fn blank_length(rest: &str, before: Option<char>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with('r')
        && !in_word
        && let Some(length) = raw_text(rest)
    {
        return Some(length);
    }
    match rest.as_bytes() {
        [b'"', ..] => Some(quoted(rest, '"')),
        // A lifetime has no second quote after its first character.
        [b'\'', b'\\', ..] => Some(quoted(rest, '\'')),
        [b'\'', ..] => {
            let mut characters = rest.char_indices().skip(2);
            matches!(characters.next(), Some((_, '\''))).then(|| quoted(rest, '\''))
        }
        _ => None,
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn raw_text(rest: &str) -> Option<usize> {
    let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
    let opened = 1 + hashes + 1;
    rest[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = rest[opened..]
        .find(&end)
        .map_or(rest.len() - opened, |at| at + end.len());
    Some(opened + inside)
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

#[test]
fn a_planted_arrow_is_found_in_every_spelling() {
    let spellings = [
        "use crate::cli;",
        "use crate::cli::Failure;",
        "pub(crate) use crate::cli::{Failure, Exit};",
        "use crate::{config, cli::{Failure, Exit}};",
        "use crate::{\n    config::{Calls, GitLab},\n    cli,\n};",
        "use crate :: cli;",
        "use ::std::fmt; use crate::r#cli;",
        "fn f() -> crate::cli::Exit { crate::cli::Exit::Failed }",
        "type T = Vec<crate::cli::Exit>;",
        "let quote = '\"'; let path: crate::cli::Exit; // \"",
        "let life: &'a str = r#\"\"\"#; use crate::cli;",
        "/* /* nested */ */ use crate::cli;",
    ];
    for text in spellings {
        let used = used_modules(text);
        assert!(
            used.iter().any(|(_, module)| module == "cli"),
            "{text}: {used:?}"
        );
        assert!(objection("config", "cli").is_some());
    }
}

#[test]
fn what_is_no_code_is_no_arrow() {
    let texts = [
        "// use crate::cli;",
        "/// See [`crate::cli::Failure`].",
        "/* use crate::cli; */",
        "let text = \"use crate::cli;\";",
        "let text = r#\"a \" crate::cli\"#;",
        "let text = \"\\\"crate::cli\";",
        "use krate::cli; use mycrate::cli; let crate_ = 1;",
        "pub(crate) fn cli() {}",
    ];
    for text in texts {
        assert_eq!(used_modules(text), [], "{text}");
    }
}

#[test]
fn arrows_point_down_and_nowhere_else() {
    let allowed = [
        ("cli", "users"),
        ("cli", "app"),
        ("app", "namespaces"),
        ("users", "messaging"),
        ("config", "telemetry"),
        ("users", "users"),
    ];
    let forbidden = [
        ("users", "namespaces"),
        ("namespaces", "users"),
        ("messaging", "users"),
        ("telemetry", "config"),
        ("cli", "unheard_of"),
        ("unheard_of", "config"),
    ];
    for (module, used) in allowed {
        assert_eq!(objection(module, used), None);
    }
    for (module, used) in forbidden {
        assert!(objection(module, used).is_some(), "{module} -> {used}");
    }
}

#[test]
fn an_arrow_is_told_with_its_line() {
    assert_eq!(
        used_modules("//!\n\nuse std::fmt;\nuse crate::cli;"),
        [(4, "cli".to_owned())]
    );
}
