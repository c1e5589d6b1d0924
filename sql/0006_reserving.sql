-- A call is reserved in one statement, so that the database is asked little before it is dialled.

-- How many calls the gateway placed for the account: since the id `since` (ids begin with their time: the last
-- minute is a range of the primary key), and not over yet. After its deadline and `margin`, one that was not
-- seen is over.
create function origination_usage(
    account text, since uuid, margin interval, out last_minute bigint, out simultaneous bigint
) language sql stable as $$
    select (select count(*) from originations o where o.account_id = account and o.id >= since),
           (select count(*) from originations o
            where o.account_id = account and o.state in ('reserved', 'accepted')
              and o.deadline >= clock_timestamp() - margin)
           + (select count(*) from calls c join originations o using (account_id, id)
              where c.account_id = account and c.state <> 'ended' and o.state = 'recorded')
$$;

-- Whether the account placed a call under this idempotency key after `key_since`, and its usage. Until the
-- transaction ends no other of its calls is reserved, so that what is told here holds. Not `stable`: each
-- statement in it must see what was committed while it waited for the lock.
create function before_reserving(
    account text, key text, key_since timestamptz, since uuid, margin interval,
    out placed_before boolean, out last_minute bigint, out simultaneous bigint
) language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('place:' || account, 0));
    placed_before := false;
    if key is not null then
        update originations o set idempotency_key = null
        where o.account_id = account and o.idempotency_key = key and o.created_at < key_since;
        placed_before := exists (
            select from originations o where o.account_id = account and o.idempotency_key = key
        );
    end if;
    select u.last_minute, u.simultaneous into last_minute, simultaneous
    from origination_usage(account, since, margin) u;
end
$$;
