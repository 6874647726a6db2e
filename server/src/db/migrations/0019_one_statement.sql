-- What lets a task be taken in, and written down as ended, in one statement each.

-- Ends the statement, and with it everything the statement has done, unless this is true. Its name is the error's (SQLSTATE PT409).
create function must_hold(fact boolean) returns boolean language plpgsql volatile as $$
begin
  if fact is not true then raise exception 'must_hold' using errcode = 'PT409'; end if;
  return true;
end $$;

-- An id as the servers make them: UUID version 7 (RFC 9562), for rows whose number is not known beforehand.
create function new_id() returns uuid language sql volatile as $$
  select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
$$;
