//! What is wrong with a query before anything of it runs: fields, arguments and variables that do
//! not fit the schema, in the words of GitLab's library.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    super::settings::Conditions,
    connection::SORTS,
    document::{FieldArgument, Literal, QueryDocument, SelectedField},
    errors::QueryError,
    schema::{FieldType, ObjectType, arguments},
};

/// Everything that does not fit, in the order of the query.
pub(super) fn problems(document: &QueryDocument, conditions: &Conditions) -> Vec<QueryError> {
    let root = match &document.name {
        Some(name) => format!("query {name}"),
        None => "query".to_owned(),
    };
    let mut validation = QueryValidation {
        document,
        conditions,
        title: document.name.as_ref().map_or_else(
            || "anonymous query".to_owned(),
            |name| format!("query {name}"),
        ),
        path: vec![root],
        used: BTreeSet::new(),
        errors: Vec::new(),
    };
    validation.fields(ObjectType::Query, &document.fields);
    validation.unused();
    validation.errors
}

struct QueryValidation<'a> {
    document: &'a QueryDocument,
    conditions: &'a Conditions,
    title: String,
    path: Vec<String>,
    used: BTreeSet<&'a str>,
    errors: Vec<QueryError>,
}

impl<'a> QueryValidation<'a> {
    fn fields(&mut self, parent: ObjectType, fields: &'a [SelectedField]) {
        for field in fields {
            self.path.push(field.key.clone());
            match parent.field(&field.name, self.conditions) {
                None => self.undefined(parent, field),
                Some(kind) => self.field(field, kind),
            }
            self.path.pop();
        }
    }

    fn undefined(&mut self, parent: ObjectType, field: &SelectedField) {
        let (name, parent) = (&field.name, parent.name());
        let said = format!("Field '{name}' doesn't exist on type '{parent}'");
        let extensions = json!({"code": "undefinedField", "typeName": parent, "fieldName": name});
        self.add(QueryError::new(said).at(field.at).with(extensions));
    }

    fn field(&mut self, field: &'a SelectedField, kind: FieldType) {
        for argument in &field.arguments {
            self.argument(field, argument);
        }
        let name = &field.name;
        let (said, kind) = match kind {
            FieldType::Object(kind) if field.fields.is_empty() => {
                let kind = kind.name();
                let said = format!(
                    "Field must have selections (field '{name}' returns {kind} but has no selections. \
                     Did you mean '{name} {{ ... }}'?)"
                );
                (said, kind)
            }
            FieldType::Leaf(kind) if !field.fields.is_empty() => {
                let said = format!(
                    "Selections can't be made on scalars (field '{name}' returns {kind} but has selections)"
                );
                (said, kind)
            }
            FieldType::Object(kind) => return self.fields(kind, &field.fields),
            FieldType::Leaf(_) => return,
        };
        let node = format!("field '{name}'");
        let extensions = json!({"code": "selectionMismatch", "nodeName": node, "typeName": kind});
        self.add(QueryError::new(said).at(field.at).with(extensions));
    }

    fn argument(&mut self, field: &SelectedField, argument: &'a FieldArgument) {
        self.path.push(argument.name.clone());
        let known = arguments(&field.name)
            .iter()
            .find(|(known, _)| *known == argument.name);
        match known {
            None => {
                let said = format!(
                    "Field '{}' doesn't accept argument '{}'",
                    field.name, argument.name
                );
                let extensions = json!({
                    "code": "argumentNotAccepted",
                    "name": field.name,
                    "typeName": "Field",
                    "argumentName": argument.name,
                });
                self.add(QueryError::new(said).at(argument.at).with(extensions));
            }
            Some((_, kind)) => match &argument.value {
                Literal::Variable(name) => self.variable(field, argument, kind, name),
                value if !fits(value, kind) => self.mismatch(field, argument, kind),
                value => self.nested(value),
            },
        }
        self.path.pop();
    }

    /// Variables that stand in a list.
    fn nested(&mut self, value: &'a Literal) {
        if let Literal::List(values) = value {
            for value in values {
                match value {
                    Literal::Variable(name) => drop(self.used.insert(name)),
                    value => self.nested(value),
                }
            }
        }
    }

    fn mismatch(&mut self, field: &SelectedField, argument: &FieldArgument, kind: &str) {
        let said = format!(
            "Argument '{}' on Field '{}' has an invalid value ({}). Expected type '{kind}'.",
            argument.name,
            field.name,
            shown(&argument.value)
        );
        let extensions = json!({
            "code": "argumentLiteralsIncompatible",
            "typeName": "Field",
            "argumentName": argument.name,
        });
        self.add(QueryError::new(said).at(field.at).with(extensions));
    }

    fn variable(
        &mut self,
        field: &SelectedField,
        argument: &FieldArgument,
        kind: &str,
        name: &'a str,
    ) {
        self.used.insert(name);
        let declared = self.document.variables.iter();
        let Some(declared) = declared.clone().find(|declared| declared.name == name) else {
            let said = format!(
                "Variable ${name} is used by {} but not declared",
                self.title
            );
            let extensions = json!({"code": "variableNotDefined", "variableName": name});
            self.add(QueryError::new(said).at(argument.at).with(extensions));
            return;
        };
        if declared.kind.trim_end_matches('!') != kind {
            let said = format!(
                "Type mismatch on variable ${name} and argument {} ({} / {kind})",
                argument.name, declared.kind
            );
            let extensions = json!({
                "code": "variableMismatch",
                "variableName": name,
                "typeName": declared.kind,
                "argumentName": argument.name,
                "errorMessage": "Type mismatch",
            });
            self.add(QueryError::new(said).at(field.at).with(extensions));
        }
    }

    fn unused(&mut self) {
        for declared in &self.document.variables {
            let name = &declared.name;
            if self.used.contains(name.as_str()) {
                continue;
            }
            let said = format!(
                "Variable ${name} is declared by {} but not used",
                self.title
            );
            let extensions = json!({"code": "variableNotUsed", "variableName": name});
            self.add(QueryError::new(said).at(declared.at).with(extensions));
        }
    }

    fn add(&mut self, error: QueryError) {
        let error = error.on(self.path.iter().map(String::as_str));
        self.errors.push(error);
    }
}

/// Whether a literal is one of this type. A single value stands for a list of one.
fn fits(value: &Literal, kind: &str) -> bool {
    if let Some(kind) = kind.strip_prefix('[') {
        let kind = kind.trim_end_matches([']', '!']);
        return match value {
            Literal::List(values) => values.iter().all(|one| fits(one, kind)),
            one => fits(one, kind),
        };
    }
    match (value, kind) {
        (Literal::Null | Literal::Variable(_), _)
        | (Literal::Whole(_), "Int" | "ID" | "UserID")
        | (Literal::Text(_), "String" | "ID" | "UserID")
        | (Literal::Flag(_), "Boolean") => true,
        (Literal::Word(word), "Sort") => SORTS.iter().any(|(name, _)| name == word),
        _ => false,
    }
}

/// As GitLab repeats it.
fn shown(value: &Literal) -> String {
    match value {
        Literal::Variable(name) => format!("${name}"),
        Literal::Text(text) => format!("{text:?}"),
        Literal::Whole(number) => number.to_string(),
        Literal::Number(text) | Literal::Word(text) => text.clone(),
        Literal::Flag(flag) => flag.to_string(),
        Literal::Null => "null".to_owned(),
        Literal::List(values) => {
            let values: Vec<String> = values.iter().map(shown).collect();
            format!("[{}]", values.join(", "))
        }
        Literal::Object => "{...}".to_owned(),
    }
}
