//! The examples in the help of `namespaces`, and those of docs/operations.md, work as they stand.

use clap::CommandFactory;
use lookup_gitlab_sync::cli::Cli;
use regex::Regex;
use testkit::postgres::TestDatabase;

use crate::stages::NamespaceStages;

#[tokio::test]
async fn every_example_of_the_namespace_commands_works_as_it_stands() {
    let database = TestDatabase::create().await;
    let stages = NamespaceStages::new(&database.url, None).await;
    stages.group(42).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bought.json");
    let root = Cli::command();
    let namespaces = root.find_subcommand("namespaces").unwrap();
    // In the order of the help: what `resync` and `history` show, `record` has written.
    let examples: Vec<String> = namespaces
        .get_subcommands()
        .chain([namespaces])
        .map(|command| command.get_after_help().unwrap().to_string())
        .collect();
    assert_eq!(examples.len(), 4);
    for example in examples {
        let lines = example.trim().strip_prefix("Example:\n").unwrap();
        for line in lines.lines() {
            let line = line.trim().strip_prefix("lookup-gitlab-sync ").unwrap();
            let (line, into) = line
                .split_once(" > ")
                .map_or((line, None), |(line, into)| (line, Some(into)));
            let words = line.split(' ').map(|word| match word {
                "bought.json" => file.to_str().unwrap(),
                word => word,
            });
            let ended = stages.run(&words.collect::<Vec<_>>()).await;
            assert!(ended.status.success(), "{line}: {ended:?}");
            if into == Some("bought.json") {
                std::fs::write(&file, &ended.stdout).unwrap();
            }
        }
    }
    assert_eq!(stages.seats(42).await, Some(25), "those of the example");

    let document = include_str!("../../docs/operations.md");
    let pipeline = r"namespaces [^`\n]*\d[^`\n]*|dead-letters [^`\n]* namespace-sync";
    let documented = Regex::new(&format!(r"(?m)(?:^lookup-gitlab-sync |`)({pipeline})")).unwrap();
    let mut typed = 0;
    for command in documented.captures_iter(document) {
        let words: Vec<&str> = command[1].split(' ').collect();
        let ended = stages.run(&words).await;
        assert!(ended.status.success(), "{}: {ended:?}", &command[1]);
        typed += 1;
    }
    assert_eq!(typed, 4);
}
