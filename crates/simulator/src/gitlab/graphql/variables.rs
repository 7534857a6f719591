//! The values of a query's variables, and the arguments of a field with them put in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    document::{DeclaredVariable, Literal, SelectedField},
    errors::QueryError,
};

/// The values by the variables' names; one without a value is missing.
pub(super) type QueryVariables = BTreeMap<String, Value>;

/// Takes of what was sent what is declared. Other values are ignored.
pub(super) fn take(
    declared: &[DeclaredVariable],
    sent: &serde_json::Map<String, Value>,
) -> Result<QueryVariables, Vec<QueryError>> {
    let mut taken = QueryVariables::new();
    let mut errors = Vec::new();
    for variable in declared {
        let default = || variable.default.as_ref().map(|value| plain(value, &taken));
        let value = sent.get(&variable.name).cloned().or_else(default);
        let value = value.unwrap_or(Value::Null);
        let missing = value.is_null() && variable.kind.ends_with('!');
        let problem = if missing {
            Some("Expected value to not be null".to_owned())
        } else {
            problem(&value, &variable.kind)
        };
        match problem {
            Some(problem) => errors.push(invalid(variable, &value, &problem)),
            None => drop(taken.insert(variable.name.clone(), value)),
        }
    }
    if errors.is_empty() {
        Ok(taken)
    } else {
        Err(errors)
    }
}

fn invalid(variable: &DeclaredVariable, value: &Value, problem: &str) -> QueryError {
    let said = format!(
        "Variable ${} of type {} was provided invalid value",
        variable.name, variable.kind
    );
    let problems = json!([{"path": [], "explanation": problem}]);
    QueryError::new(said)
        .at(variable.at)
        .with(json!({"value": value, "problems": problems}))
}

/// Why a value is none of this type.
fn problem(value: &Value, kind: &str) -> Option<String> {
    let kind = kind.trim_end_matches('!');
    if value.is_null() {
        return None;
    }
    if let Some(kind) = kind
        .strip_prefix('[')
        .and_then(|kind| kind.strip_suffix(']'))
    {
        return match value {
            Value::Array(values) => values.iter().find_map(|one| problem(one, kind)),
            one => problem(one, kind),
        };
    }
    let fits = match kind {
        "Int" => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        "Boolean" => value.is_boolean(),
        "ID" | "UserID" => value.is_string() || value.is_i64(),
        "String" | "Sort" => value.is_string(),
        _ => return Some(format!("{kind} isn't a defined input type (on $)")),
    };
    (!fits).then(|| format!("Could not coerce value {value} to {kind}"))
}

/// A literal as a value.
fn plain(value: &Literal, variables: &QueryVariables) -> Value {
    match value {
        Literal::Variable(name) => variables.get(name).cloned().unwrap_or_default(),
        Literal::Text(text) | Literal::Word(text) | Literal::Number(text) => json!(text),
        Literal::Whole(number) => json!(number),
        Literal::Flag(flag) => json!(flag),
        Literal::Null => Value::Null,
        Literal::List(values) => values.iter().map(|one| plain(one, variables)).collect(),
        Literal::Object => json!({}),
    }
}

/// An argument; null is as good as absent.
pub(super) fn argument(
    field: &SelectedField,
    name: &str,
    variables: &QueryVariables,
) -> Option<Value> {
    let argument = field.arguments.iter().find(|one| one.name == name)?;
    Some(plain(&argument.value, variables)).filter(|value| !value.is_null())
}

/// An argument that is a number of rows.
pub(super) fn whole(
    field: &SelectedField,
    name: &str,
    variables: &QueryVariables,
) -> Option<usize> {
    let value = argument(field, name, variables)?.as_i64()?;
    Some(usize::try_from(value).unwrap_or(0))
}

/// An argument that is a text.
pub(super) fn text(
    field: &SelectedField,
    name: &str,
    variables: &QueryVariables,
) -> Option<String> {
    let value = argument(field, name, variables)?;
    value.as_str().map(str::to_owned)
}

/// An argument that is on or off.
pub(super) fn flag(field: &SelectedField, name: &str, variables: &QueryVariables) -> Option<bool> {
    argument(field, name, variables)?.as_bool()
}

/// An argument that is a list of texts. A single one stands for a list.
pub(super) fn texts(
    field: &SelectedField,
    name: &str,
    variables: &QueryVariables,
) -> Option<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(match argument(field, name, variables)? {
        Value::Array(values) => values.iter().map(one).collect(),
        value => vec![one(&value)],
    })
}
