-- What is recorded is complete: what a document leaves out is taken over from the sync before it. A sync of before holds
-- only what was sent with it; it is completed when its namespace is next recorded, asked for again or sent.
ALTER TABLE namespace_syncs ADD COLUMN complete boolean NOT NULL DEFAULT false;
