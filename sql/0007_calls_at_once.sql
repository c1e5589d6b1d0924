-- What counts as a call that is going on: also one that joined another, and one of which the records do not tell yet.

create index call_aliases_call on call_aliases (account_id, call_id);

-- As in 0006, but for what `simultaneous` counts. A call that was placed, and joined another, goes on for as long
-- as that one does. One that was not seen goes on until the node's writer has told what became of it, for
-- `unseen` after its deadline at most: while the writer is away or behind, the limit holds all the same.
drop function origination_usage(text, uuid, interval);
create function origination_usage(
    account text, since uuid, unseen interval, out last_minute bigint, out simultaneous bigint
) language sql stable as $$
    select (select count(*) from originations o where o.account_id = account and o.id >= since),
           (select count(*) from originations o
            where o.account_id = account and o.state in ('reserved', 'accepted')
              and o.deadline >= clock_timestamp() - unseen)
           + (select count(*) from calls c join originations o using (account_id, id)
              where c.account_id = account and c.state <> 'ended' and o.state = 'recorded')
           + (select count(*) from calls c
              join call_aliases a on a.account_id = c.account_id and a.call_id = c.id
              join originations o on o.account_id = a.account_id and o.id = a.alias
              where c.account_id = account and c.state <> 'ended' and o.state = 'recorded')
$$;
