# Both are named by digest when a release is built (docs/release.md): --build-arg RUST_IMAGE=…@sha256:…
# They must stand on the same Debian release: the binary uses its glibc.
ARG RUST_IMAGE=docker.io/library/rust:1.95-slim-trixie
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian13:nonroot

# cargo-chef and not cache mounts: release builders are thrown away after each build, and a registry's layer cache
# outlives them while a mounted cache does not. Nothing here needs BuildKit.
FROM ${RUST_IMAGE} AS tools
WORKDIR /src
RUN cargo install --locked cargo-chef@0.1.78 cargo-auditable@0.7.7

FROM tools AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM tools AS build
COPY --from=plan /src/recipe.json recipe.json
# Dependencies alone: this layer changes only when Cargo.lock does.
RUN cargo chef cook --locked --profile dist --no-default-features --recipe-path recipe.json
COPY . .
RUN cargo auditable build --locked --profile dist --no-default-features --bin lookup-gitlab-sync

# `--target development`: with the commands `demo` and `simulate`, for deploy/compose.yaml and never for production.
FROM build AS build-development
RUN cargo build --locked --release --bin lookup-gitlab-sync

FROM ${RUNTIME_IMAGE} AS development
COPY --from=build-development /src/target/release/lookup-gitlab-sync /usr/local/bin/lookup-gitlab-sync
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/lookup-gitlab-sync"]
CMD ["demo"]

# What is released. With the build argument SOURCE_DATE_EPOCH and `rewrite-timestamp=true` (.ci/image) every time in it is
# that of its commit, and the same commit gives the same image.
FROM ${RUNTIME_IMAGE}
ARG VERSION=0.0.0-unreleased
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="lookup-gitlab-sync" \
      org.opencontainers.image.description="Keeps a self-managed GitLab in step with the systems that decide about it" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /src/target/dist/lookup-gitlab-sync /usr/local/bin/lookup-gitlab-sync
USER 65532:65532
# PORT; and HEALTH_PORT beside a stage that is asked over HTTP.
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
# No HEALTHCHECK: Cloud Run has probes of its own (terraform/worker_pools.tf), and OCI images have no place for one.
ENTRYPOINT ["/usr/local/bin/lookup-gitlab-sync"]
CMD ["serve"]
