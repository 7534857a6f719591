//! `google.pubsub.v1.SchemaService`.

use std::sync::Arc;

use google_cloud_googleapis::pubsub::v1::{
    CommitSchemaRequest, CreateSchemaRequest, DeleteSchemaRequest, DeleteSchemaRevisionRequest,
    GetSchemaRequest, ListSchemaRevisionsRequest, ListSchemaRevisionsResponse, ListSchemasRequest,
    ListSchemasResponse, RollbackSchemaRequest, Schema, SchemaView, ValidateMessageRequest,
    ValidateMessageResponse, ValidateSchemaRequest, ValidateSchemaResponse,
    validate_message_request::SchemaSpec,
};
use tonic::{Request, Response, Status};

use super::names::unoffered;
use super::schema::Schema as Compiled;
use super::store::BrokerStore;
use super::stubs::{Reply, schema_service_server::SchemaService};

/// Topic schemas, of one revision each.
#[derive(Debug)]
pub(super) struct SchemaServiceOf(pub(super) Arc<BrokerStore>);

#[tonic::async_trait]
impl SchemaService for SchemaServiceOf {
    async fn create_schema(&self, request: Request<CreateSchemaRequest>) -> Reply<Schema> {
        let asked = request.into_inner();
        let schema = Compiled::compile(given(asked.schema)?)?;
        self.0
            .create_schema(&asked.parent, &asked.schema_id, schema)
            .map(Response::new)
    }

    async fn get_schema(&self, request: Request<GetSchemaRequest>) -> Reply<Schema> {
        let asked = request.into_inner();
        let schema = self.0.schema(&asked.name)?;
        // Without a view all is shown, unlike in a list: GetSchemaRequest's reference says so.
        let view = match asked.view() {
            SchemaView::Basic => SchemaView::Basic,
            SchemaView::Full | SchemaView::Unspecified => SchemaView::Full,
        };
        Ok(Response::new(schema.view(view)))
    }

    async fn list_schemas(
        &self,
        request: Request<ListSchemasRequest>,
    ) -> Reply<ListSchemasResponse> {
        let asked = request.into_inner();
        let page = self.0.schemas(
            &asked.parent,
            asked.view(),
            asked.page_size,
            &asked.page_token,
        );
        Ok(Response::new(ListSchemasResponse {
            schemas: page.items,
            next_page_token: page.next,
        }))
    }

    async fn list_schema_revisions(
        &self,
        _: Request<ListSchemaRevisionsRequest>,
    ) -> Reply<ListSchemaRevisionsResponse> {
        Err(unoffered("SchemaService/ListSchemaRevisions"))
    }

    async fn commit_schema(&self, _: Request<CommitSchemaRequest>) -> Reply<Schema> {
        Err(unoffered("SchemaService/CommitSchema"))
    }

    async fn rollback_schema(&self, _: Request<RollbackSchemaRequest>) -> Reply<Schema> {
        Err(unoffered("SchemaService/RollbackSchema"))
    }

    async fn delete_schema_revision(
        &self,
        _: Request<DeleteSchemaRevisionRequest>,
    ) -> Reply<Schema> {
        Err(unoffered("SchemaService/DeleteSchemaRevision"))
    }

    async fn delete_schema(&self, request: Request<DeleteSchemaRequest>) -> Reply<()> {
        self.0
            .delete_schema(&request.into_inner().name)
            .map(Response::new)
    }

    async fn validate_schema(
        &self,
        request: Request<ValidateSchemaRequest>,
    ) -> Reply<ValidateSchemaResponse> {
        Compiled::compile(given(request.into_inner().schema)?)?;
        Ok(Response::new(ValidateSchemaResponse {}))
    }

    async fn validate_message(
        &self,
        request: Request<ValidateMessageRequest>,
    ) -> Reply<ValidateMessageResponse> {
        let asked = request.into_inner();
        let encoding = asked.encoding();
        let schema = match asked.schema_spec {
            Some(SchemaSpec::Name(name)) => self.0.schema(&name)?,
            Some(SchemaSpec::Schema(schema)) => Compiled::compile(schema)?,
            None => return Err(Status::invalid_argument("No schema provided.")),
        };
        schema.check(encoding, &asked.message)?;
        Ok(Response::new(ValidateMessageResponse {}))
    }
}

fn given(schema: Option<Schema>) -> Result<Schema, Status> {
    schema.ok_or_else(|| Status::invalid_argument("No schema provided."))
}
