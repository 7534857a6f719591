//! A query as it was sent: the operation that is to run, its fields, arguments and positions.

use apollo_parser::{
    Parser,
    cst::{self, CstNode, Definition, Selection, Value},
};

use super::errors::{QueryError, SourcePosition};

/// What nests deeper is not read at all.
const DEEPEST: usize = 100;

/// GitLab's own bound for who has signed in (`app/graphql/gitlab_schema.rb`).
const MAX_DEPTH: usize = 20;

/// One operation.
#[derive(Debug)]
pub(super) struct QueryDocument {
    pub(super) name: Option<String>,
    pub(super) variables: Vec<DeclaredVariable>,
    pub(super) fields: Vec<SelectedField>,
}

/// `$name: Type = default`
#[derive(Debug)]
pub(super) struct DeclaredVariable {
    pub(super) name: String,
    /// As it was written, without spaces.
    pub(super) kind: String,
    pub(super) default: Option<Literal>,
    pub(super) at: SourcePosition,
}

/// A field, with what is asked of it.
#[derive(Debug)]
pub(super) struct SelectedField {
    /// Under which key it is answered: its alias, or its name.
    pub(super) key: String,
    pub(super) name: String,
    pub(super) arguments: Vec<FieldArgument>,
    pub(super) fields: Vec<SelectedField>,
    pub(super) at: SourcePosition,
}

/// `name: value`
#[derive(Debug)]
pub(super) struct FieldArgument {
    pub(super) name: String,
    pub(super) value: Literal,
    pub(super) at: SourcePosition,
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Variable(String),
    Text(String),
    Whole(i64),
    /// A fraction or a number past all bounds, as it was written.
    Number(String),
    Flag(bool),
    Null,
    Word(String),
    List(Vec<Literal>),
    /// `{…}`, which no argument here takes.
    Object,
}

/// Why a text is no query that can be run.
#[derive(Debug)]
pub(super) enum QueryRefusal {
    /// GitLab says so.
    Refused(QueryError),
    /// GitLab would answer it, this server does not.
    NotSimulated(&'static str),
}

impl From<QueryError> for QueryRefusal {
    fn from(error: QueryError) -> Self {
        Self::Refused(error)
    }
}

impl QueryDocument {
    /// Reads a query; of several operations the one that is named.
    pub(super) fn read(text: &str, operation: Option<&str>) -> Result<Self, QueryRefusal> {
        if text.trim().is_empty() {
            return Err(QueryError::of_document("Unexpected end of document").into());
        }
        let tree = Parser::new(text).recursion_limit(DEEPEST).parse();
        let depth = nesting(text);
        if depth > MAX_DEPTH {
            let said =
                format!("Query has depth of {depth}, which exceeds max depth of {MAX_DEPTH}");
            return Err(QueryError::new(said).into());
        }
        if let Some(error) = tree.errors().next() {
            return Err(syntax_error(text, error).into());
        }
        let mut operations = Vec::new();
        for definition in tree.document().definitions() {
            match definition {
                Definition::OperationDefinition(operation) => operations.push(operation),
                Definition::FragmentDefinition(_) => return Err(FRAGMENTS),
                _ => return Err(QueryRefusal::NotSimulated("GraphQL: definitions of types")),
            }
        }
        let wanted = |one: &cst::OperationDefinition| {
            operation.is_none_or(|wanted| one.name().is_some_and(|name| name.text() == wanted))
        };
        let chosen = match operations.as_slice() {
            [_, _, ..] if operation.is_none() => None,
            all => all.iter().find(|one| wanted(one)),
        };
        let Some(chosen) = chosen else {
            let said = match operation {
                Some(name) => format!("No operation named {name:?}"),
                None => "An operation name is required".to_owned(),
            };
            return Err(QueryError::new(said).into());
        };
        Self::of(text, chosen)
    }

    fn of(text: &str, operation: &cst::OperationDefinition) -> Result<Self, QueryRefusal> {
        let kind = operation.operation_type();
        if kind.is_some_and(|kind| kind.query_token().is_none()) {
            return Err(QueryRefusal::NotSimulated(
                "GraphQL: mutations and subscriptions",
            ));
        }
        if operation.directives().is_some() {
            return Err(DIRECTIVES);
        }
        let declared = operation.variable_definitions();
        let declared = declared
            .into_iter()
            .flat_map(|all| all.variable_definitions());
        Ok(Self {
            name: operation.name().map(|name| name.text().to_string()),
            variables: declared
                .filter_map(|variable| declaration(text, &variable))
                .collect(),
            fields: fields(text, operation.selection_set())?,
        })
    }
}

const FRAGMENTS: QueryRefusal = QueryRefusal::NotSimulated("GraphQL: fragments");
const DIRECTIVES: QueryRefusal = QueryRefusal::NotSimulated("GraphQL: directives");

fn fields(text: &str, set: Option<cst::SelectionSet>) -> Result<Vec<SelectedField>, QueryRefusal> {
    let selections = set.into_iter().flat_map(|set| set.selections());
    selections
        .map(|selection| match selection {
            Selection::Field(field) => selected(text, &field),
            Selection::FragmentSpread(_) | Selection::InlineFragment(_) => Err(FRAGMENTS),
        })
        .collect()
}

fn selected(text: &str, field: &cst::Field) -> Result<SelectedField, QueryRefusal> {
    if field.directives().is_some() {
        return Err(DIRECTIVES);
    }
    let alias = field.alias().and_then(|alias| alias.name());
    let name = field.name();
    let first = alias.as_ref().or(name.as_ref());
    let name = name.as_ref().map(|name| name.text().to_string());
    let name = name.unwrap_or_default();
    let arguments = field
        .arguments()
        .into_iter()
        .flat_map(|all| all.arguments());
    Ok(SelectedField {
        key: alias
            .as_ref()
            .map_or_else(|| name.clone(), |alias| alias.text().to_string()),
        at: first.map_or_else(SourcePosition::default, |name| place(text, name)),
        arguments: arguments
            .filter_map(|argument| {
                let name = argument.name()?;
                Some(FieldArgument {
                    at: place(text, &name),
                    name: name.text().to_string(),
                    value: literal(&argument.value()?),
                })
            })
            .collect(),
        fields: fields(text, field.selection_set())?,
        name,
    })
}

fn declaration(text: &str, variable: &cst::VariableDefinition) -> Option<DeclaredVariable> {
    let name = variable.variable()?;
    let kind = variable.ty()?.source_string();
    Some(DeclaredVariable {
        at: place(text, &name),
        name: name.text().to_string(),
        kind: kind.chars().filter(|c| !c.is_whitespace()).collect(),
        default: variable
            .default_value()
            .and_then(|default| default.value())
            .map(|value| literal(&value)),
    })
}

fn literal(value: &Value) -> Literal {
    let source = || value.source_string().trim().to_owned();
    match value {
        Value::Variable(variable) => Literal::Variable(variable.text().to_string()),
        Value::StringValue(text) => Literal::Text(text.into()),
        Value::IntValue(_) => match source().parse() {
            Ok(number) => Literal::Whole(number),
            Err(_) => Literal::Number(source()),
        },
        Value::FloatValue(_) => Literal::Number(source()),
        Value::BooleanValue(flag) => Literal::Flag(flag.true_token().is_some()),
        Value::NullValue(_) => Literal::Null,
        Value::EnumValue(word) => Literal::Word(word.text().to_string()),
        Value::ListValue(list) => Literal::List(list.values().map(|one| literal(&one)).collect()),
        Value::ObjectValue(_) => Literal::Object,
    }
}

fn place(text: &str, node: &impl CstNode) -> SourcePosition {
    SourcePosition::of(text, node.syntax().text_range().start().into())
}

/// In the words of GitLab's own parser, as far as they are known: what ends too early.
fn syntax_error(text: &str, error: &apollo_parser::Error) -> QueryError {
    if error.is_eof() || error.data() == "EOF" || error.index() >= text.trim_end().len() {
        let last = text.trim_end().char_indices().next_back();
        let at = SourcePosition::of(text, last.map_or(0, |(index, _)| index));
        let said = format!("Expected NAME, actual: (none) (\"\") at {at}");
        return QueryError::new(said).at(at);
    }
    let at = SourcePosition::of(text, error.index());
    let token: String = error.data().chars().take(40).collect();
    QueryError::new(format!("Parse error on {token:?} (error) at {at}")).at(at)
}

/// How deep braces nest outside of texts and comments.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            '}' => depth = depth.saturating_sub(1),
            '#' => {
                let _ = characters.by_ref().find(|character| *character == '\n');
            }
            '"' => {
                let mut escaped = false;
                let _ = characters.by_ref().find(|character| {
                    let ends = *character == '"' && !escaped;
                    escaped = *character == '\\' && !escaped;
                    ends
                });
            }
            _ => {}
        }
    }
    deepest
}
