-- What a writer that starts reads again of a call that has been open for long is found without the rows of all the
-- others since: a queue's by the caller's channel, and by their order those of the source itself (gaps, clocks).
create index raw_rows_apart on raw_rows (node, unique_id, seq) where linked_id = '';
