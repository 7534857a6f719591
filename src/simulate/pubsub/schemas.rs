//! `google.pubsub.v1.SchemaService`.

use google_cloud_googleapis::pubsub::v1::{
    CommitSchemaRequest, CreateSchemaRequest, DeleteSchemaRequest, DeleteSchemaRevisionRequest,
    GetSchemaRequest, ListSchemaRevisionsRequest, ListSchemaRevisionsResponse, ListSchemasRequest,
    ListSchemasResponse, RollbackSchemaRequest, Schema, ValidateMessageRequest,
    ValidateMessageResponse, ValidateSchemaRequest, ValidateSchemaResponse,
};
use tonic::{Request, Response, Status};

use super::names::unoffered;
use super::stubs::schema_service_server::SchemaService;

/// Topic schemas: none yet, each call is refused by name.
#[derive(Debug)]
pub(super) struct Schemas;

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl SchemaService for Schemas {
    async fn create_schema(&self, _: Request<CreateSchemaRequest>) -> Reply<Schema> {
        Err(unoffered("SchemaService/CreateSchema"))
    }

    async fn get_schema(&self, _: Request<GetSchemaRequest>) -> Reply<Schema> {
        Err(unoffered("SchemaService/GetSchema"))
    }

    async fn list_schemas(&self, _: Request<ListSchemasRequest>) -> Reply<ListSchemasResponse> {
        Err(unoffered("SchemaService/ListSchemas"))
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

    async fn delete_schema(&self, _: Request<DeleteSchemaRequest>) -> Reply<()> {
        Err(unoffered("SchemaService/DeleteSchema"))
    }

    async fn validate_schema(
        &self,
        _: Request<ValidateSchemaRequest>,
    ) -> Reply<ValidateSchemaResponse> {
        Err(unoffered("SchemaService/ValidateSchema"))
    }

    async fn validate_message(
        &self,
        _: Request<ValidateMessageRequest>,
    ) -> Reply<ValidateMessageResponse> {
        Err(unoffered("SchemaService/ValidateMessage"))
    }
}
