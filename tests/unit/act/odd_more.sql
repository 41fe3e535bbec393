-- What odd.sql leaves out of an odd database: values at the edge of their types, and every other kind of object.
-- Applied after odd.sql, statement by statement, on PostgreSQL 15 and newer; what a build lacks is asked for first.
create schema "Ünï ""code""";
create schema "two
lines";
create schema twin;
create role "odd Role" login connection limit 3 valid until '2099-01-01';
create role "o'neil:""q""" nologin createdb;
create role plain nosuperuser password 'secret';
create role wörker noinherit bypassrls;
grant "o'neil:""q""" to "odd Role" with admin option;
grant plain to wörker;
alter role "odd Role" set work_mem = '7MB';
comment on role plain is 'a role with a comment';

-- values
create table extremes (
  n numeric, f float8, g float4, t timestamp, tz timestamptz, d date, i interval, ti time, tt timetz, b bytea, m money,
  j json, jb jsonb, x text, c char(4), bp bpchar, bi bigint, u uuid, ip inet, bo boolean, bt bit(3), r int4range,
  mr int4multirange, a int[], aa text[][], nr numrange, tsr tstzrange, v tsvector, q tsquery, p point, l pg_lsn, o oid
);
insert into extremes (n, f, g, t, tz, d, i) values
  ('NaN', 'NaN', 'NaN', '-infinity', 'infinity', '-infinity', '-178000000 years'),
  ('Infinity', '-0', '-0', '4713-01-01 00:00:00 BC', '4713-01-02 00:00:00+00 BC', '4713-01-01 BC', '24 h'),
  ('-Infinity', 'infinity', '-infinity', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '5874897-12-31', '1 day'),
  (1.00, 1e-320, 1e-44, '1970-01-01', '1970-01-01 12:00+12', '0001-01-01', '-1 mon 1 day -00:00:00.000001'),
  (1.0, 1.7976931348623157e308, 3.4028235e38, '2000-02-29 24:00:00', '2038-01-19 03:14:08Z', 'infinity', '0'),
  (-9e131071, 0.1, 0.1, null, null, null, null), (1e-16383, 0.30000000000000004, 16777217, null, null, null, null);
insert into extremes (ti, tt, b, m, j, jb, x, c, bp, bi) values
  ('24:00', '10:00+15:59', '\x', '-92233720368547758.08', '{"a":1, "a" : 1.0}', '{"a": 1.0, "b": [null]}', '', '', 'ab  ', -9223372036854775808),
  ('00:00:00.000001', '10:00-15:59', '\x005c00ff27', '0.01', ' null ', 'null', E'\\N', 'ab', 'ab', 9223372036854775807),
  (null, null, decode(repeat('5c2e0a0d09', 2000), 'hex'), null, '"\ud83d\ude00\\u0000"', '"\u00e9"', E'\\.\n\t\r\b\f\v\\', 'ä', '', 0),
  (null, null, null, null, null, null, E'😀 é e\u0301 \u202e \uFEFF', null, null, null), (null, null, null, null, null, null, null, null, null, null);
insert into extremes (u, ip, bo, bt, r, mr, a, aa, nr, tsr, v, q, p, l, o) values
  ('00000000-0000-0000-0000-000000000000', '::1/0', true, '101', 'empty', '{}', '{}', '{}', '(,)', '[-infinity,infinity]', '', '', '(NaN,-0)', '0/0', 0),
  ('ffffffff-ffff-ffff-ffff-ffffffffffff', '10.0.0.1/24', false, '000', '(,1)', '{[1,2),[5,)}', '[-2:0]={1,null,3}', '{{"a,b",null},{"","NULL"}}', '[1.0,1.00]', '(,"2020-01-01 00:00:00.000001+00")', '''it''''s'':1A,2B', 'a <-> b', '(1e300,1)', 'FFFFFFFF/FFFFFFFF', 4294967295);
do $$ begin
  create table papers (x xml); insert into papers values ('<a b="1"><!-- c --></a>'), ('<?xml version="1.0"?><z/>'), (null);
exception when feature_not_supported then
  create table papers (x text); insert into papers values ('<a b="1"><!-- c --></a>'), ('no xml in this build');
end $$;
create table toasted (id int primary key, big text, packed text, outside bytea, x text);
alter table toasted alter big set storage external, alter packed set compression pglz, alter outside set storage extended;
insert into toasted select n, string_agg(md5(n || '-' || m), ''), repeat('pack ', 90000), decode(string_agg(md5(m || '+' || n), ''), 'hex')
  from generate_series(1, 5) n, generate_series(1, 4000) m group by n;
update toasted set x = 'moved' where id = 2; alter table toasted drop column x; alter table toasted add late int default 7;

-- types
create type "Ünï ""code""".pair as (a int, "B b" text collate "C");
create type app.weekday as enum ('mon', 'it''s', 'ünï', '');
create domain app.code as char(6) not null default 'x' check (value <> 'bad') constraint second check (length(value) < 7);
create domain app.deep as app.positive check (value < 1000000);
create domain app.note as bpchar;
create type app.floats as range (subtype = float8, subtype_diff = float8mi, multirange_type_name = app.many_floats);
create type app.shell;
create table typed_values (w app.weekday, c app.code, d app.deep, p "Ünï ""code""".pair, ps "Ünï ""code""".pair[], f app.floats,
  mf app.many_floats, "Mood" "Mood"[], k app.note, rt regtype, rc regclass);
insert into typed_values values ('it''s', 'a', 5, '(1,"x,""y")', '{"(,)","(2,)"}', '[1.5,2.5)', '{[1,2),(3,4]}', '{a,NULL}', 'ab  ', 'app.code', 'extremes'),
  ('', 'b  ', 999999, '(,)', '{}', 'empty', '{}', null, 'ab', null, null);
create type app.row_type as (id int, name text);
create table of_type of app.row_type (primary key (id), name default 'typed');
insert into of_type values (1);

-- shapes of tables
create table tree (region text, at date, id bigint generated always as identity (start 1000 increment -3 minvalue -100000 maxvalue 1000), v text,
  primary key (region, at, id)) partition by list (region);
create table tree_eu partition of tree for values in ('eu', null) partition by range (at);
alter table tree_eu alter v set default 'in eu';
create table tree_eu_old partition of tree_eu for values from (minvalue) to ('2020-01-01');
create table tree_eu_new partition of tree_eu for values from ('2020-01-01') to (maxvalue) partition by hash (id);
create table tree_eu_new_0 partition of tree_eu_new for values with (modulus 2, remainder 0);
create table tree_eu_new_1 partition of tree_eu_new for values with (modulus 2, remainder 1);
create table "tree Rest" partition of tree default;
create table tree_loose (region text not null, at date not null, id bigint not null, v text);
insert into tree (region, at, v) select (array['eu', 'us', 'ünï'])[n % 3 + 1], date '2019-06-01' + n * 7, 'v' || n from generate_series(1, 200) n;
create index tree_v on tree (v); create index tree_only on only tree (at);
create table grand (g int default 1 check (g > 0) no inherit) inherits (child, parent); insert into grand values (1, 'c'), (2, null); insert into child (k) values (9);
create table nothing (); insert into nothing default values; insert into nothing default values;
create table never_filled (id serial primary key, t text);
create table keyless (a int, b text); insert into keyless values (1, 'twice'), (1, 'twice'), (1, 'twice'), (null, null), (null, null), (2, '');
create table twin.keyless (a int, b text); insert into twin.keyless values (1, 'once');
create table "Ünï ""code""".keyless (a int, b text);
create table "two
lines"."line
feed" ("col
umn" int, "select" text, "%s {} %(x)s" text, "tab	" text); insert into "two
lines"."line
feed" values (1, 'a', 'b', 'c');
create table "Ünï ""code"""."'; drop table x; --" (id int); insert into "Ünï ""code"""."'; drop table x; --" values (1);
create table "CAPITALS" (id int); create table "capitals" (id int); insert into "CAPITALS" values (1); insert into capitals values (2);
create unlogged table fleeting (id int generated by default as identity primary key, t text); insert into fleeting (t) values ('kept by a dump');
create table made (a int, b int generated always as (a * 2) stored, c text generated always as ('n' || a) stored); insert into made (a) values (1), (2), (null);
do $$ begin if current_setting('server_version_num')::int >= 180000 then
  execute 'create table virtual_made (a int, b int generated always as (a + 1) virtual); insert into virtual_made values (1), (2)';
  execute 'create table lax (a int constraint lax_a not null, b int); insert into lax values (1, 1); '
    'alter table lax add constraint lax_b not null b not valid; alter table lax add constraint lax_c check (a > 0) not enforced';
end if; end $$;
create table with_options (a int, b text) with (fillfactor = 50, autovacuum_enabled = false, toast.autovacuum_enabled = false);
alter table with_options alter a set (n_distinct = -0.5), alter a set statistics 321, replica identity full;
create table idents (a int not null, b int); create unique index idents_a on idents (a); alter table idents replica identity using index idents_a;

-- constraints, indexes, statistics
create table bookings (id int primary key deferrable initially deferred, during int4range, room int, exclude using gist (during with &&) where (room = 1),
  unique nulls not distinct (room, id) include (during));
insert into bookings values (1, '[1,5)', 1), (2, '[5,9)', 1), (3, '[1,9)', 2);
create table cycle_a (id int primary key, b int); create table cycle_b (id int primary key, a int references cycle_a deferrable initially deferred);
alter table cycle_a add constraint to_b foreign key (b) references cycle_b on delete set null (b) on update cascade not valid;
insert into cycle_a values (1, null); insert into cycle_b values (1, 1); update cycle_a set b = 1; alter table cycle_a add self int references cycle_a match full;
alter table keyless add constraint small check (a < 100) not valid; comment on constraint small on keyless is 'not held yet';
create index expr on keyless (lower(b), (a + 1) desc nulls last) include (a) where a is not null; comment on index expr is 'an index';
create index by_hash on keyless using hash (a); create index gin_jb on extremes using gin (jb jsonb_path_ops); create index brin_d on extremes using brin (d) with (pages_per_range = 8);
create unique index lone on keyless ((1)) where false; alter index expr alter column 2 set statistics 77; cluster bookings using bookings_pkey;
create statistics app.stats (ndistinct, mcv) on a, b from keyless; create statistics app.stats_expr on (a % 7), b from twin.keyless; alter statistics app.stats set statistics 55;

-- code
create function app.add1(a int default 5, variadic b text[] default '{}') returns int language sql immutable parallel safe cost 7 as 'select a + 1';
create function app.add1(a text) returns text language sql strict security definer set search_path = app, pg_temp as $$ select a || ' ''$1''' $$;
create function app.body(a int) returns table (x int, y text) language sql rows 3 begin atomic select a, 'b'; end;
create procedure app.do_it(inout a int) language plpgsql as $p$ begin a := a + 1; -- a comment
end $p$;
create aggregate app.concat_all(text) (sfunc = textcat, stype = text, initcond = '>', parallel = safe);
create aggregate app.msum(int) (sfunc = int4pl, stype = int, initcond = '0', msfunc = int4pl, minvfunc = int4mi, mstype = int, minitcond = '0', sortop = operator(pg_catalog.<));
create function app.touch() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger first before insert or update of b on keyless for each row when (new.a > 0) execute function app.touch();
create trigger off_ after delete on keyless for each statement execute function app.touch(); alter table keyless disable trigger off_;
create trigger always_ before insert on keyless for each row execute function app.touch('arg', 'it''s'); alter table keyless enable always trigger always_;
create constraint trigger late after insert on keyless deferrable initially deferred for each row execute function app.touch();
create trigger on_tree after insert on tree for each row execute function app.touch(); alter table tree_eu_old disable trigger on_tree; comment on trigger first on keyless is 'first of all';
create function app.seen() returns event_trigger language plpgsql as $$ begin null; end $$;
create event trigger watch on ddl_command_end when tag in ('CREATE TABLE') execute function app.seen(); alter event trigger watch disable;
create rule never as on delete to twin.keyless where old.a < 0 do instead nothing; alter table twin.keyless disable rule never;
create function app.eq(a app.weekday, b text) returns boolean language sql immutable as 'select a::text = b';
create operator app.=== (leftarg = app.weekday, rightarg = text, function = app.eq, restrict = eqsel);
create function app.to_int(a app.weekday) returns int language sql immutable as 'select 1';
create cast (app.weekday as int) with function app.to_int(app.weekday) as assignment;
create operator family app.fam using btree; create operator class app.cls for type app.weekday using btree family app.fam as operator 1 <(anyenum, anyenum), operator 3 =(anyenum, anyenum), function 1 enum_cmp(anyenum, anyenum);
create collation app.c_like (locale = 'C'); create conversion app.conv for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
do $$ begin
  create collation app.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  create table loosely (t text collate app.loose primary key, u text collate "C"); insert into loosely values ('A', 'a'), ('b', 'B');
exception when feature_not_supported then raise notice 'no ICU in this build'; end $$;
create text search dictionary app.dict (template = simple, stopwords = english, accept = false); create text search configuration app.conf (copy = simple);
alter text search configuration app.conf alter mapping for word with app.dict, simple; create access method heap2 type table handler heap_tableam_handler;
create table on_heap2 (a int) using heap2; insert into on_heap2 values (1);

-- views
create view app.seen_rows with (security_barrier, check_option = local) as select a, b from keyless where a > 0; alter view app.seen_rows alter b set default 'from the view';
create view app.counting (n) as with recursive c (n) as (values (1) union all select n + 1 from c where n < 5) select n from c;
create materialized view app.kept as select a, count(*) as n from keyless group by a; create unique index kept_a on app.kept (a);
create materialized view app.kept_again as select sum(n) as s from app.kept; create materialized view app.unfilled as select 1 as one with no data;
create view twin.keyless_view as select * from twin.keyless; comment on view twin.keyless_view is E'line\nfeed and ''quotes''';

-- who may do what
alter table keyless enable row level security, force row level security; create policy mine on keyless as restrictive for update to wörker, plain, "odd Role" using (a > 0) with check (b is not null);
create policy all_ on keyless using (true); grant select (a), update (b) on keyless to plain with grant option; grant select on twin.keyless to public; grant usage on schema app, twin to "odd Role";
grant all on all sequences in schema public to "o'neil:""q"""; revoke execute on function app.add1(text) from public; grant execute on procedure app.do_it(int) to plain; grant usage on type app.weekday to plain;
revoke usage on type app.code from public; alter table capitals owner to "odd Role"; alter schema twin owner to plain; alter function app.body(int) owner to "o'neil:""q"""; alter type app.floats owner to plain;
alter view twin.keyless_view owner to "odd Role"; alter default privileges for role plain in schema app grant select on tables to wörker; alter default privileges revoke execute on functions from public;
revoke all on table idents from current_user; grant usage on language plpgsql to plain; grant select on pg_catalog.pg_settings to plain;

-- the world outside
create foreign data wrapper odd_fdw options (a '1'); create server "odd server" type 't' version 'v' foreign data wrapper odd_fdw options (host 'it''s', port '1');
create user mapping for plain server "odd server" options (user 'u', password 'p'); create foreign table far (a int options (c 'x') not null, b text) server "odd server" options (t 'far');
grant usage on foreign server "odd server" to plain; grant usage on foreign data wrapper odd_fdw to plain; create publication parts for table keyless (a, b) where (a > 1), twin.keyless with (publish = 'insert');
create publication whole for tables in schema twin with (publish_via_partition_root, publish = 'insert'); create publication everything for all tables with (publish = 'insert, truncate'); alter publication parts owner to current_user;
create subscription far_away connection 'host=nowhere dbname=x' publication a, b with (connect = false, slot_name = none);
do $$ declare e text; begin for e in select name from pg_available_extensions
  where name in ('hstore', 'citext', 'pg_trgm', 'btree_gist', 'ltree', 'uuid-ossp', 'pgcrypto', 'vector', 'unaccent', 'lo', 'intarray') order by 1 loop
  execute format('create extension %I schema app', e); end loop; end $$;
do $$ begin if exists (select from pg_extension where extname = 'hstore') then execute 'set search_path = app, public; create table maps (h hstore, c citext, t ltree); '
  'insert into maps values (''a=>1, b=>NULL'', ''Ab'', ''a.b''), ('''', ''AB'', ''''); create index maps_h on maps using gist (h); reset search_path'; end if; end $$;
do $$ begin if exists (select from pg_extension where extname = 'vector') then execute 'set search_path = app, public; create table vectors (v vector(3)); '
  'insert into vectors values (''[1,-0,1e-30]''), (''[1,0,0]''); reset search_path'; end if; end $$;

-- large objects, and what belongs to the database
select lo_from_bytea(70001, ''), lo_from_bytea(70002, '\x00ff5c'), lo_from_bytea(70003, convert_to(repeat('0123456789abcdef', 300000), 'UTF8'));
select lo_put(lo_from_bytea(70004, 'x'), 4194304, 'behind a hole'), lo_from_bytea(70005, decode(repeat('ab', 4194304), 'hex')); comment on large object 70002 is 'a large object';
grant select on large object 70002 to plain; alter large object 70003 owner to "odd Role"; grant update on large object 70003 to public;
comment on schema public is 'said otherwise'; comment on column keyless.a is E'ünï\\n'; comment on type app.weekday is 'days'; comment on domain app.code is 'codes';
comment on collation app.c_like is 'c'; comment on policy mine on keyless is 'p'; comment on server "odd server" is 's'; comment on materialized view app.kept is 'm'; comment on sequence never_filled_id_seq is 'q';
create sequence "Sequence ""x""" as smallint increment 5 minvalue -10 maxvalue 100 start 7 cycle cache 3; select nextval('"Sequence ""x"""'); create sequence unused; select setval('never_filled_id_seq', 4711);
