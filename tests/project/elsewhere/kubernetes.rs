//! `deploy/kubernetes/`: what each overlay makes, by the judgement of Kubernetes' own schemas.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

use super::{collect, expect_command, expect_configuration, words};
use crate::judges;

/// What `kubectl kustomize` makes of an overlay: its text, and its objects.
fn rendered(overlay: &str) -> Option<(String, Vec<Value>)> {
    let kubectl = judges::installed("kubectl", "the overlays of Kubernetes")?;
    let folder = format!("deploy/kubernetes/overlays/{overlay}");
    let (good, said) = judges::judge(kubectl, &["kustomize", &folder]);
    assert!(good, "{said}");
    let objects = serde_saphyr::from_multiple(&said).unwrap();
    Some((said, objects))
}

fn of_kind<'object>(objects: &'object [Value], kind: &str) -> Vec<&'object Value> {
    objects.iter().filter(|it| it["kind"] == kind).collect()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

/// The pods that are made, by the name of what makes them.
fn pods(objects: &[Value]) -> BTreeMap<&str, &Value> {
    let deployments = of_kind(objects, "Deployment").into_iter();
    let deployments = deployments.map(|it| (name(it), &it["spec"]["template"]));
    let jobs = of_kind(objects, "CronJob").into_iter();
    let jobs = jobs.map(|it| (name(it), &it["spec"]["jobTemplate"]["spec"]["template"]));
    deployments.chain(jobs).collect()
}

#[rstest]
#[case::staging("staging", &["fan-out", "tick", "user-worker"])]
#[case::production(
    "production",
    &["fan-out", "namespace-worker", "portal", "provisioning-api", "tick", "user-worker"]
)]
fn an_overlay_makes_what_kubernetes_takes(#[case] overlay: &str, #[case] expected: &[&str]) {
    let Some((text, objects)) = rendered(overlay) else {
        return;
    };
    assert_eq!(pods(&objects).into_keys().collect::<Vec<_>>(), expected);
    let Some(validate) = judges::published("kubernetes-validate", "the schemas of Kubernetes")
    else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("rendered.yaml");
    fs::write(&file, text).unwrap();
    // The oldest that is still maintained, and the newest that the validator knows.
    for version in ["1.34.0", "1.37.0"] {
        let arguments = [
            "--strict",
            "--kubernetes-version",
            version,
            file.to_str().unwrap(),
        ];
        let (good, said) = judges::judge(&validate, &arguments);
        assert!(good, "{said}");
        let unknown: Vec<_> = said
            .lines()
            .filter(|it| it.contains("find schema"))
            .collect();
        assert_eq!(
            unknown.len(),
            2,
            "only Prometheus' own kinds are unknown: {said}"
        );
    }
}

#[rstest]
#[case::staging("staging")]
#[case::production("production")]
fn each_container_is_given_a_command_and_a_configuration_that_the_program_takes(
    #[case] overlay: &str,
) {
    let Some((_, objects)) = rendered(overlay) else {
        return;
    };
    let settings = &of_kind(&objects, "ConfigMap")[0];
    for (place, pod) in pods(&objects) {
        let container = &pod["spec"]["containers"][0];
        let command = words(&container["args"]);
        expect_command(&command);
        assert_eq!(
            container["envFrom"][0]["configMapRef"]["name"],
            name(settings)
        );
        let mut environment: BTreeMap<String, String> = settings["data"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        let mounted: BTreeSet<&str> = collect(&pod["spec"]["volumes"], &|key, value| {
            (key == "path").then(|| value.as_str())?
        })
        .into_iter()
        .collect();
        for variable in container["env"].as_array().into_iter().flatten() {
            let value = variable["value"].as_str().unwrap();
            let file = value.strip_prefix("/run/secrets/lookup-gitlab-sync/");
            assert!(
                file.is_some_and(|file| mounted.contains(file)),
                "{place}: {value} is in no volume"
            );
            let variable = variable["name"].as_str().unwrap().to_owned();
            environment.insert(variable, format!("SECRETS/{}", file.unwrap()));
        }
        expect_configuration(&command, &environment);
    }
}

/// A selector of labels, such as `{"matchLabels": …}`.
fn selects(selector: &Value, pod: &Value) -> bool {
    let labels = &pod["metadata"]["labels"];
    let exact = selector["matchLabels"].as_object().into_iter().flatten();
    let exact = exact.into_iter().all(|(key, value)| labels[key] == *value);
    let mut sets = selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten();
    exact
        && sets.all(|set| {
            let values = set["values"].as_array().unwrap();
            values.contains(&labels[set["key"].as_str().unwrap()])
        })
}

#[rstest]
#[case::staging("staging")]
#[case::production("production")]
fn every_selector_finds_the_pods_that_it_is_for(#[case] overlay: &str) {
    let Some((_, objects)) = rendered(overlay) else {
        return;
    };
    let pods = pods(&objects);
    for object in &objects {
        let spec = &object["spec"];
        let selector = match object["kind"].as_str().unwrap() {
            "NetworkPolicy" => spec["podSelector"].clone(),
            "Service" => serde_json::json!({ "matchLabels": spec["selector"] }),
            "PodDisruptionBudget" | "PodMonitor" | "Deployment" => spec["selector"].clone(),
            _ => continue,
        };
        let found: Vec<_> = pods
            .iter()
            .filter(|(_, pod)| selects(&selector, pod))
            .collect();
        assert!(!found.is_empty(), "{} selects nothing", name(object));
        let stated = selector["matchExpressions"][0]["values"].as_array();
        assert_eq!(
            found.len(),
            stated.map_or(1, Vec::len),
            "{}: {found:?}",
            name(object)
        );
    }
    // Nobody but the cluster's own DNS has this label, and it has none of ours.
    for policy in of_kind(&objects, "NetworkPolicy") {
        for selector in collect(policy, &|_, value| {
            value["matchLabels"].get("k8s-app").and(Some(value))
        }) {
            assert_eq!(
                selector["matchLabels"].as_object().unwrap().len(),
                1,
                "{selector}"
            );
        }
    }
}

#[rstest]
#[case::staging("staging")]
#[case::production("production")]
fn every_pod_has_no_rights_and_no_secret_in_its_environment(#[case] overlay: &str) {
    let Some((_, objects)) = rendered(overlay) else {
        return;
    };
    let policies = of_kind(&objects, "NetworkPolicy");
    for (place, pod) in pods(&objects) {
        let (spec, container) = (&pod["spec"], &pod["spec"]["containers"][0]);
        assert_eq!(spec["automountServiceAccountToken"], false, "{place}");
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{place}");
        let security = &container["securityContext"];
        assert_eq!(security["readOnlyRootFilesystem"], true, "{place}");
        assert_eq!(security["allowPrivilegeEscalation"], false, "{place}");
        assert_eq!(words(&security["capabilities"]["drop"]), ["ALL"], "{place}");
        assert!(
            container["resources"]["limits"]["memory"].is_string(),
            "{place}"
        );
        assert!(
            container["image"].as_str().unwrap().contains("@sha256:"),
            "{place}"
        );
        let isolated = policies
            .iter()
            .any(|policy| selects(&policy["spec"]["podSelector"], pod));
        assert!(isolated, "{place} is in no network policy");
    }
    assert!(
        of_kind(&objects, "Secret").is_empty(),
        "a secret is committed"
    );
}

#[rstest]
#[case::staging("staging")]
#[case::production("production")]
fn a_stage_is_given_three_minutes_to_start_and_is_restarted_for_itself_alone(
    #[case] overlay: &str,
) {
    let Some((_, objects)) = rendered(overlay) else {
        return;
    };
    for deployment in of_kind(&objects, "Deployment") {
        let place = name(deployment);
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let budget = |key: &str| container["startupProbe"][key].as_u64().unwrap();
        assert_eq!(
            budget("periodSeconds") * budget("failureThreshold"),
            180,
            "{place}"
        );
        // An outage of GitLab must not restart what waits for its end.
        for (probe, path) in [
            ("startupProbe", "/livez"),
            ("livenessProbe", "/livez"),
            ("readinessProbe", "/readyz"),
        ] {
            assert_eq!(container[probe]["httpGet"]["path"], path, "{place}");
            assert_eq!(container[probe]["httpGet"]["port"], "health", "{place}");
        }
        let recreated = deployment["spec"]["strategy"]["type"] == "Recreate";
        assert_eq!(recreated, place == "fan-out", "{place}");
    }
}
