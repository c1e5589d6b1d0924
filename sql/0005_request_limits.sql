-- How many requests a minute an account and each of its keys may make, and how many they made.

alter table accounts
    add column requests_per_minute         integer not null default 6000,
    add column requests_per_minute_per_key integer not null default 600;

-- Told once a second by each API process, and only of this minute: nothing is lost that a crash takes.
create unlogged table request_counts (
    account_id text not null references accounts,
    minute     bigint not null,                       -- since 1970
    key_id     text not null,                         -- '': all of the account's
    count      integer not null,
    primary key (account_id, minute, key_id)
);
