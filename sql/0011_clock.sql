-- How far the clock of the journal's machine was ahead when the journal was read: of `clock`, `file_id` is the start of
-- that machine, and `byte_offset` are microseconds.
alter table source_positions
    drop constraint source_positions_stream_check,
    add constraint source_positions_stream_check check (stream in ('spool', 'journal', 'queue_log', 'clock'));
