-- Who writes a node's records. Every transaction of a writer locks its node's row (for key share) and
-- checks the epoch; a take-over locks it (for update), so that it waits for them or they for it; a
-- renewal changes no key and waits for neither.

create table leases (
    node          text primary key,
    epoch         bigint not null,                    -- grows with each take-over
    host          text not null,
    pid           integer not null,                   -- of the gateway's process
    backend_pid   integer not null,                   -- of its database session, which a take-over ends
    backend_start timestamptz,                        -- process ids come again
    taken_at      timestamptz not null,
    expires_at    timestamptz not null                -- by the database's clock, which alone is asked
);
