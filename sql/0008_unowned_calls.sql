-- Calls of the node that ended and belong to no account's directory: for the operator, who may have named none.

alter table nodes add column unowned_calls bigint not null default 0;
