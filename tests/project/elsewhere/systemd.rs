//! `deploy/systemd/`: units that systemd reads, and that leave the program no rights.

use std::{collections::BTreeMap, fs, path::Path};

use regex::Regex;
use tempfile::TempDir;
use testkit::project;

use super::{expect_command, expect_configuration};
use crate::judges;

/// 100 is no protection at all.
const MOST_EXPOSURE: &str = "--threshold=15";

/// The units, with a program that is there on any machine and an instance of the template.
fn units(folder: &Path) -> Vec<String> {
    let mut units = Vec::new();
    for (path, text) in project::files("deploy/systemd", "") {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_some_and(|it| it == "example") {
            continue;
        }
        let text = text.replace("/usr/local/bin/lookup-gitlab-sync", "/bin/true");
        fs::write(folder.join(&name), &text).unwrap();
        let instance = name.replace("@.", "@fan-out.");
        fs::write(folder.join(&instance), text).unwrap();
        units.push(folder.join(instance).to_str().unwrap().to_owned());
    }
    assert_eq!(units.len(), 3, "{units:?}");
    units
}

#[test]
fn systemd_reads_the_units_without_a_word() {
    let Some(analyze) = judges::installed("systemd-analyze", "the units of systemd") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let units = units(folder.path());
    let mut arguments = vec!["verify", "--man=no"];
    arguments.extend(units.iter().map(String::as_str));
    let (good, said) = judges::judge(analyze, &arguments);
    let about_ours: Vec<_> = said
        .lines()
        .filter(|it| it.contains("lookup-gitlab-sync"))
        .collect();
    assert!(good && about_ours.is_empty(), "{said}");
}

#[test]
fn the_units_leave_the_program_no_rights() {
    let Some(analyze) = judges::installed("systemd-analyze", "the protection of the units") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let mut seen = 0;
    for unit in units(folder.path()) {
        if !fs::read_to_string(&unit).unwrap().contains("[Service]") {
            continue;
        }
        let arguments = [
            "security",
            "--offline=true",
            "--no-pager",
            MOST_EXPOSURE,
            &unit,
        ];
        let (good, said) = judges::judge(&analyze, &arguments);
        assert!(good, "{said}");
        assert!(said.contains("Overall exposure level"), "{said}");
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn each_unit_gives_the_program_a_command_and_a_configuration_that_it_takes() {
    let environment = project::read("deploy/systemd/environment.example");
    let settings: BTreeMap<String, String> = environment
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| !name.starts_with('#'))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let start = Regex::new(r"(?m)^ExecStart=\S+ (.*)$").unwrap();
    let credential = Regex::new(r"(?m)^LoadCredential=([\w-]+):").unwrap();
    let variable = Regex::new(r"(?m)^Environment=(\w+)=%d/([\w-]+)$").unwrap();
    for (path, text) in project::files("deploy/systemd", ".service") {
        let place = path.display().to_string();
        let command = start.captures(&text).unwrap()[1].replace("%i", "user-worker");
        let command: Vec<String> = command.split(' ').map(str::to_owned).collect();
        expect_command(&command);
        let loaded: Vec<String> = credential
            .captures_iter(&text)
            .map(|found| found[1].to_owned())
            .collect();
        let mut environment = settings.clone();
        for found in variable.captures_iter(&text) {
            assert!(
                loaded.contains(&found[2].to_owned()),
                "{place}: {} is not loaded",
                &found[2]
            );
            environment.insert(found[1].to_owned(), format!("SECRETS/{}", &found[2]));
        }
        assert_eq!(loaded.len(), environment.len() - settings.len(), "{place}");
        expect_configuration(&command, &environment);
    }
}
