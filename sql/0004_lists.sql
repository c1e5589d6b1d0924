-- Lists that can be walked: what a list showed at a moment can be told as long as a cursor lives (a day).

-- `updated_in`, `listed_in`: the transaction that wrote this version, and the one that wrote the first.
alter table calls
    add column updated_in xid8 not null default pg_current_xact_id(),
    add column listed_in xid8 not null default pg_current_xact_id(),
    add column listed_at timestamptz not null default now();
alter table user_calls
    add column updated_in xid8 not null default pg_current_xact_id(),
    add column listed_in xid8 not null default pg_current_xact_id(),
    add column listed_at timestamptz not null default now();
alter table user_calls
    add column via_queue text generated always as (document #>> '{via,queue,name}') stored,
    add column via_ring_group text generated always as (document #>> '{via,ring_group,name}') stored;
alter table visits
    add column updated_in xid8 not null default pg_current_xact_id(),
    add column listed_in xid8 not null default pg_current_xact_id(),
    add column listed_at timestamptz not null default now();

-- Versions of rows whose call was over when they were replaced, and rows that went (`gone`).
-- What is only replaced is kept for two days, what is gone for those who ask what was updated since.
create table superseded_calls (
    superseded_at timestamptz not null,
    superseded_in xid8 not null,
    gone          boolean not null,
    like calls
);
create table superseded_user_calls (
    superseded_at timestamptz not null,
    superseded_in xid8 not null,
    gone          boolean not null,
    like user_calls
);
create table superseded_visits (
    superseded_at timestamptz not null,
    superseded_in xid8 not null,
    gone          boolean not null,
    like visits
);
create index superseded_calls_at on superseded_calls (account_id, superseded_at);
create index superseded_calls_id on superseded_calls (account_id, id);
create index superseded_user_calls_at on superseded_user_calls (account_id, superseded_at);
create index superseded_user_calls_id on superseded_user_calls (account_id, id);
create index superseded_user_calls_call on superseded_user_calls (account_id, call_id);
create index superseded_visits_at on superseded_visits (account_id, superseded_at);
create index superseded_visits_id on superseded_visits (account_id, id);
create index superseded_visits_call on superseded_visits (account_id, call_id);

create function note_version() returns trigger language plpgsql as $$
begin
    new.updated_in := pg_current_xact_id();
    return new;
end
$$;
create trigger note_version before update on calls for each row execute function note_version();
create trigger note_version before update on user_calls for each row execute function note_version();
create trigger note_version before update on visits for each row execute function note_version();

create function keep_superseded() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.updated_in = pg_current_xact_id() then
        return null;  -- nobody saw it
    end if;
    case tg_argv[0]
        when 'calls' then
            insert into superseded_calls select now(), pg_current_xact_id(), false, old.*;
        when 'user_calls' then
            insert into superseded_user_calls select now(), pg_current_xact_id(), tg_op = 'DELETE', old.*;
        when 'visits' then
            insert into superseded_visits select now(), pg_current_xact_id(), tg_op = 'DELETE', old.*;
    end case;
    return null;
end
$$;
create trigger keep_superseded after update on calls
    for each row when (old.state = 'ended') execute function keep_superseded('calls');
create trigger keep_superseded after update on user_calls
    for each row when (old.state = 'ended') execute function keep_superseded('user_calls');
create trigger keep_superseded after update on visits
    for each row when (old.state = 'ended') execute function keep_superseded('visits');
-- No call goes from the lists: it merges. Rows of `calls` that are deleted move into another partition.
create trigger keep_gone after delete on user_calls for each row execute function keep_superseded('user_calls');
create trigger keep_gone after delete on visits for each row execute function keep_superseded('visits');

-- The order of a list is that of an index to its end, so that a page can begin at any row of it.
drop index calls_caller_number, calls_callee_number, calls_duration;
create index calls_caller_number on calls (account_id, caller_number, started_at desc, id desc);
create index calls_callee_number on calls (account_id, callee_number, started_at desc, id desc);
create index calls_duration on calls (account_id, (coalesce(duration_ms, -1)) desc, id desc);

drop index user_calls_caller_number, user_calls_destination, user_calls_duration;
create index user_calls_caller_number on user_calls (account_id, caller_number, started_at desc, id desc);
create index user_calls_destination on user_calls (account_id, destination_number, started_at desc, id desc);
create index user_calls_duration on user_calls (account_id, (coalesce(duration_ms, -1)) desc, id desc);
create index user_calls_queue on user_calls (account_id, via_queue, started_at desc, id desc)
    where via_queue is not null;
create index user_calls_ring_group on user_calls (account_id, via_ring_group, started_at desc, id desc)
    where via_ring_group is not null;
create index user_calls_reference on user_calls (account_id, reference) where reference is not null;
create index user_calls_open on user_calls (account_id, started_at desc, id desc) where state <> 'ended';

drop index visits_duration;
create index visits_caller_number on visits (account_id, kind, caller_number, started_at desc, id desc);
create index visits_destination on visits (account_id, kind, destination_number, started_at desc, id desc);
create index visits_user on visits (account_id, kind, user_id, started_at desc, id desc) where user_id is not null;
create index visits_duration on visits (account_id, kind, (coalesce(duration_ms, -1)) desc, id desc);
create index visits_reference on visits (account_id, reference) where reference is not null;
create index visits_open on visits (account_id, kind, started_at desc, id desc) where state <> 'ended';
