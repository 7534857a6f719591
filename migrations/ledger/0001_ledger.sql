-- What was to be sent, who asked, and what became of it. Nothing is ever deleted here.

CREATE TABLE namespace_syncs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace_id bigint NOT NULL,
    attrs_sha256 text NOT NULL CHECK (attrs_sha256 ~ '^[0-9a-f]{64}$'),
    attrs jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The newest of a namespace is the one with the highest id: ids are given out under the namespace's lock.
CREATE INDEX namespace_syncs_newest ON namespace_syncs (namespace_id, id DESC);

CREATE TABLE namespace_sync_requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace_sync_id bigint NOT NULL REFERENCES namespace_syncs,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    requested_by text,
    changed boolean NOT NULL,
    -- Asked for although nothing changed: it is to be sent again even if it arrived.
    resync boolean NOT NULL DEFAULT false
);

CREATE INDEX namespace_sync_requests_sync ON namespace_sync_requests (namespace_sync_id, id);

CREATE TABLE namespace_sync_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace_sync_id bigint NOT NULL REFERENCES namespace_syncs,
    state text NOT NULL CHECK (state IN
        ('started', 'completed', 'partially_failed', 'retrying', 'failed', 'skipped', 'abandoned')),
    http_status smallint,
    parts jsonb,
    detail text,
    -- The newest request that this attempt answers.
    request_id bigint NOT NULL DEFAULT 0,
    -- Its call may go on at the other end after it was closed here.
    stray boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    CHECK ((state = 'started') = (finished_at IS NULL))
);

CREATE INDEX namespace_sync_attempts_sync ON namespace_sync_attempts (namespace_sync_id, id);
CREATE UNIQUE INDEX namespace_sync_attempts_started ON namespace_sync_attempts (namespace_sync_id)
    WHERE state = 'started';
