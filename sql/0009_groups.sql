-- A queue or ring group is found by number and name: it may have had other names, and two ring groups may have the same.

-- The table of superseded versions takes the columns in the order of the other.
alter table user_calls
    add column via_queue_number text generated always as (document #>> '{via,queue,number}') stored,
    add column via_ring_group_number text generated always as (document #>> '{via,ring_group,number}') stored;
alter table superseded_user_calls
    add column via_queue_number text,
    add column via_ring_group_number text;
update superseded_user_calls
set via_queue_number = document #>> '{via,queue,number}', via_ring_group_number = document #>> '{via,ring_group,number}'
where via_queue is not null or via_ring_group is not null;

-- Postgres reads such an index in its order where a column equals something, and not where it is null.
drop index visits_group, user_calls_queue, user_calls_ring_group;
create index visits_group on visits (
    account_id, kind, group_name, (coalesce(group_number, '')), started_at desc, id desc
);
create index user_calls_queue on user_calls (
    account_id, via_queue, (coalesce(via_queue_number, '')), started_at desc, id desc
) where via_queue is not null;
create index user_calls_ring_group on user_calls (
    account_id, via_ring_group, (coalesce(via_ring_group_number, '')), started_at desc, id desc
) where via_ring_group is not null;
