-- Rows kept by day and calls by month (the gateway makes the partitions ahead), how far a node's
-- records can be relied upon, and what the nightly audit found.

-- Rows are read again in the order of their file: a few pages tell where a range of it lies.
create index raw_rows_seq on raw_rows using brin (seq) with (pages_per_range = 32, autosummarize = on);

alter table nodes
    add column row_at timestamptz,                    -- of the channel's row that was committed last, by Asterisk's clock
    add column row_committed_at timestamptz,          -- when that was, by the database's
    add column looked_at timestamptz,                 -- what the source held then is committed
    add column dropped_until timestamptz;             -- rows before it may be gone

-- Retention counts from here: what is told late, of a call long ago, is kept as long as the rest.
alter table events add column told_at timestamptz not null default now();

-- The newest of a node is what `gateway status` shows; `document` is what `gateway audit --json` prints.
create table audits (
    node     text not null,
    made_at  timestamptz not null default now(),
    since    timestamptz not null,
    until    timestamptz not null,
    agrees   boolean not null,
    document json not null,
    primary key (node, made_at)
);

-- What of it an account sees: of its own calls and events.
create table audit_digests (
    account_id  text not null references accounts,
    node        text not null,
    made_at     timestamptz not null default now(),
    since       timestamptz not null,
    until       timestamptz not null,
    calls       bigint not null,
    events      bigint not null,
    differences bigint not null,
    primary key (account_id, node, made_at)
);
