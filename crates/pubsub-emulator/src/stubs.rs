//! The gRPC server traits that `build.rs` makes.

/// The reply of a call that returns nothing, `google.protobuf.Empty` on the wire.
pub(super) type Empty = ();

/// What a call returns.
pub(super) type Reply<T> = Result<tonic::Response<T>, tonic::Status>;

include!(concat!(env!("OUT_DIR"), "/google.pubsub.v1.Publisher.rs"));
include!(concat!(env!("OUT_DIR"), "/google.pubsub.v1.Subscriber.rs"));
include!(concat!(
    env!("OUT_DIR"),
    "/google.pubsub.v1.SchemaService.rs"
));
