//! The gRPC server traits that `build.rs` makes.

/// The reply of a call that returns nothing, `google.protobuf.Empty` on the wire.
pub(super) type Empty = ();

include!(concat!(env!("OUT_DIR"), "/google.pubsub.v1.Publisher.rs"));
include!(concat!(env!("OUT_DIR"), "/google.pubsub.v1.Subscriber.rs"));
include!(concat!(
    env!("OUT_DIR"),
    "/google.pubsub.v1.SchemaService.rs"
));
