-- The whole schema. Applied in number order by `gateway migrate`, each file in one transaction.
--
-- An account's tables have account_id in every key, so that they distribute by it.
-- Tables of a node (claims, positions, raw rows) are the operator's, never served to an account.
-- Instants are timestamptz; durations are whole milliseconds.

-- ── Who is who ──────────────────────────────────────────────────────────────

create table accounts (
    id                text primary key,               -- the directory's `account`
    name              text not null,
    time_zone         text not null,                  -- IANA name
    country           text not null,                  -- ISO 3166 alpha-2
    directory_version integer not null,
    last_sequence     bigint not null default 0,      -- of the event log; taken under this row's lock: dense
    created_at        timestamptz not null default now()
);

-- Every directory ever applied, so that an old call keeps the names of its day.
-- `document` is Directory.to_document() with the users' stable ids in it.
create table directory_versions (
    account_id text not null references accounts,
    version    integer not null,
    applied_at timestamptz not null default now(),
    document   jsonb not null,
    primary key (account_id, version)
);

-- A user's id is given once and never again, even after the user has left the directory.
create table users (
    account_id  text not null references accounts,
    id          text not null,                        -- u1, u2, … per account
    number      text not null,
    name        text not null,
    external_id text,
    removed_at  timestamptz,
    primary key (account_id, id)
);
create unique index users_number on users (account_id, number) where removed_at is null;

-- Endpoints, numbers and contexts belong to one account per node.
create table claims (
    node       text not null,
    kind       text not null check (kind in ('endpoint', 'number', 'context')),
    value      text not null,
    account_id text not null references accounts,
    primary key (node, kind, value)
);

-- ── Who may come in ─────────────────────────────────────────────────────────

create table api_keys (
    account_id    text not null references accounts,
    id            text not null,                      -- the public part of the key
    name          text not null,
    secret_sha256 bytea not null,                     -- the secret has 256 bits of entropy: a plain hash is enough
    scopes        text[] not null,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz,
    last_used_ip  inet,
    primary key (account_id, id)
);
create unique index api_keys_id on api_keys (id);

create table allowed_networks (
    account_id text not null references accounts,
    network    cidr not null,
    note       text not null default '',
    created_at timestamptz not null default now(),
    primary key (account_id, network)
);

create table console_logins (
    account_id    text not null references accounts,
    login         text not null,
    password_hash text not null,                      -- argon2id
    created_at    timestamptz not null default now(),
    primary key (account_id, login)
);
create unique index console_logins_login on console_logins (login);

create table console_sessions (
    account_id   text not null references accounts,
    token_sha256 bytea not null,
    login        text not null,
    csrf_token   text not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null,
    primary key (account_id, token_sha256)
);

create table audit_log (
    account_id text not null references accounts,
    id         bigint generated always as identity,
    at         timestamptz not null default now(),
    actor      text not null,                         -- key:<id>, login:<name>, cli
    action     text not null,                         -- key.created, network.allowed, call.refused …
    subject    text not null default '',
    ip         inet,
    details    jsonb not null default '{}',
    primary key (account_id, id)
);

-- ── The source: raw rows of a node, and how far they were read ──────────────

create table source_positions (
    node        text not null,
    stream      text not null check (stream in ('spool', 'journal', 'queue_log')),
    file_id     text not null,                        -- device:inode of a journal, name of a spool file
    byte_offset bigint not null,
    updated_at  timestamptz not null default now(),
    primary key (node, stream)
);

create table nodes (
    node     text primary key,
    last_seq bigint not null default 0,               -- of raw_rows
    gap_at   timestamptz                              -- the last gap that no operator has accepted
);

-- Digits that people press are never among them. `seq` is the order of the fold.
create table raw_rows (
    node      text not null,
    seq       bigint not null,
    at        timestamptz not null,
    linked_id text not null default '',
    unique_id text not null default '',
    row       json not null,
    primary key (at, node, seq)
) partition by range (at);
create index raw_rows_linked_id on raw_rows (node, linked_id);
create table raw_rows_default partition of raw_rows default;

-- Calls the fold holds open: their rows are read again when a writer starts.
create table open_linked_ids (
    node      text not null,
    linked_id text not null,
    first_seq bigint not null,
    primary key (node, linked_id)
);

-- ── What is told: calls and the rows that are listed ────────────────────────
-- `document` is the record as the contract shows it, as the fold wrote it, byte for byte
-- (json, not jsonb); the columns beside it are what lists filter and sort by.

create table calls (
    account_id    text not null references accounts,
    id            uuid not null,
    node          text not null,
    linked_ids    text[] not null,
    state         text not null,
    direction     text not null,
    outcome       text,
    caller_number text,
    callee_number text,
    reference     text,
    started_at    timestamptz not null,
    ended_at      timestamptz,
    duration_ms   bigint,
    merged_into   uuid,                               -- set: this id is over, its call goes on as that one
    revision      integer not null default 1,         -- grows when a settled record is corrected
    updated_at    timestamptz not null default now(),
    document      json not null,
    primary key (account_id, id)
) partition by range (id);
create table calls_default partition of calls default;
create index calls_started_at on calls (account_id, started_at desc, id desc);
create index calls_duration on calls (account_id, duration_ms desc, id desc);
create index calls_updated_at on calls (account_id, updated_at);
create index calls_open on calls (account_id, started_at) where state <> 'ended';
create index calls_caller_number on calls (account_id, caller_number, started_at desc);
create index calls_callee_number on calls (account_id, callee_number, started_at desc);
create index calls_reference on calls (account_id, reference) where reference is not null;

create table user_calls (
    account_id         text not null references accounts,
    id                 text not null,                 -- <call id>-<user id>
    call_id            uuid not null,
    user_id            text not null,
    type               text not null,
    result             text,
    direction          text not null,
    state              text not null,
    caller_number      text,
    destination_number text,
    reference          text,
    started_at         timestamptz not null,
    duration_ms        bigint,
    revision           integer not null default 1,
    updated_at         timestamptz not null default now(),
    document           json not null,
    primary key (account_id, id)
);
create index user_calls_started_at on user_calls (account_id, started_at desc, id desc);
create index user_calls_user on user_calls (account_id, user_id, started_at desc, id desc);
create index user_calls_duration on user_calls (account_id, duration_ms desc, id desc);
create index user_calls_call on user_calls (account_id, call_id);
create index user_calls_updated_at on user_calls (account_id, updated_at);
create index user_calls_caller_number on user_calls (account_id, caller_number, started_at desc);
create index user_calls_destination on user_calls (account_id, destination_number, started_at desc);

-- Rows of queue-calls and of ring-group-calls: a caller's visits.
create table visits (
    account_id         text not null references accounts,
    kind               text not null check (kind in ('queue', 'ring_group')),
    id                 text not null,                 -- <call id>-q1, <call id>-g1 …
    call_id            uuid not null,
    group_name         text not null,
    group_number       text,
    user_id            text,                          -- who answered
    status             text,
    direction          text not null,
    state              text not null,
    caller_number      text,
    destination_number text,
    reference          text,
    started_at         timestamptz not null,
    duration_ms        bigint,
    revision           integer not null default 1,
    updated_at         timestamptz not null default now(),
    document           json not null,
    primary key (account_id, kind, id)
);
create index visits_started_at on visits (account_id, kind, started_at desc, id desc);
create index visits_group on visits (account_id, kind, group_name, started_at desc, id desc);
create index visits_duration on visits (account_id, kind, duration_ms desc, id desc);
create index visits_call on visits (account_id, call_id);
create index visits_updated_at on visits (account_id, kind, updated_at);

-- Who was rung, as a table, for those who come with SQL.
create view attempts as
select c.account_id, c.id as call_id, a.ordinality as ordinal,
       a.attempt -> 'user' ->> 'id' as user_id,
       a.attempt ->> 'device' as device,
       a.attempt ->> 'number' as number,
       a.attempt ->> 'via' as via,
       a.attempt ->> 'result' as result,
       (a.attempt ->> 'started_at')::timestamptz as started_at,
       (a.attempt ->> 'answered_at')::timestamptz as answered_at,
       (a.attempt ->> 'ended_at')::timestamptz as ended_at
from calls c
cross join lateral json_array_elements(c.document -> 'attempts') with ordinality as a (attempt, ordinality);

-- Ids that a call has had: linked calls that merged, originations.
create table call_aliases (
    account_id text not null references accounts,
    alias      uuid not null,
    call_id    uuid not null,
    primary key (account_id, alias)
);

-- ── Events and webhooks ─────────────────────────────────────────────────────

create table events (
    account_id  text not null references accounts,
    sequence    bigint not null,                      -- dense: 1, 2, 3 …
    id          text not null,
    type        text not null,
    occurred_at timestamptz not null,
    call_id     uuid,
    data        json not null,
    primary key (account_id, sequence)
);
create index events_call on events (account_id, call_id);

create table webhooks (
    account_id        text not null references accounts,
    id                text not null,
    url               text not null,
    secret_encrypted  bytea not null,
    event_types       text[] not null default '{}',   -- empty: all
    enabled           boolean not null default true,
    enqueued_sequence bigint not null,                -- deliveries exist for events up to here
    created_at        timestamptz not null default now(),
    primary key (account_id, id)
);

create table webhook_deliveries (
    account_id    text not null,
    webhook_id    text not null,
    sequence      bigint not null,
    call_id       uuid,
    state         text not null default 'pending' check (state in ('pending', 'delivered', 'dead')),
    tries         integer not null default 0,
    next_try_at   timestamptz not null default now(),
    last_status   integer,
    last_error    text,
    last_latency_ms integer,
    delivered_at  timestamptz,
    primary key (account_id, webhook_id, sequence),
    foreign key (account_id, webhook_id) references webhooks on delete cascade
);
create index webhook_deliveries_due on webhook_deliveries (next_try_at) where state = 'pending';
create index webhook_deliveries_call on webhook_deliveries (account_id, webhook_id, call_id, sequence)
    where state = 'pending';

-- ── Placing calls ───────────────────────────────────────────────────────────

-- Committed before the AMI action leaves. `id` is the channel's unique id and the call's id.
create table originations (
    account_id      text not null references accounts,
    id              uuid not null,
    node            text not null,
    user_id         text not null,
    user_number     text not null,
    user_name       text not null,
    destination     text not null,                    -- E.164, or an extension
    caller_id       text,
    reference       text,
    ring_timeout    integer not null,                 -- seconds
    answer_timeout  integer not null,                 -- seconds
    devices         text[] not null,                  -- offered
    deadline        timestamptz not null,             -- the dialplan rings nobody after it
    idempotency_key text,
    request_sha256  bytea,
    -- reserved: may or may not have reached Asterisk; accepted: Asterisk said yes;
    -- refused: Asterisk said no, or it never left; recorded: the fold has it (its call row exists)
    state           text not null default 'reserved'
                    check (state in ('reserved', 'accepted', 'refused', 'recorded')),
    failure         text,
    actor           text not null,
    created_at      timestamptz not null default now(),
    primary key (account_id, id)
);
create unique index originations_idempotency on originations (account_id, idempotency_key)
    where idempotency_key is not null;
create index originations_pending on originations (node, deadline) where state in ('reserved', 'accepted', 'refused');
