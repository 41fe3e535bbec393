-- Grows matches and events by :rows each; runs after data.sql.
insert into funding_matches (organization_id, program_id, score, weight, status, explanation, created_at)
select 1 + n % 12, 1 + n % 16, n % 10001 / 100.0, 1.0 / (1 + n % 97),
       (array['new', 'viewed', 'saved', 'dismissed'])[1 + n % 4]::match_status,
       jsonb_build_object('reasons', jsonb_build_array('industry', 'trl'), 'rank', n, 'text', repeat(md5(n::text), 4)),
       timestamptz '2025-01-01 00:00:00Z' + n * interval '1 second'
from generate_series(1, :rows) n;

insert into events (at, kind, payload)
select timestamptz '2025-01-01 00:00:00Z' + n * interval '1 second', (array['view', 'search', 'click'])[1 + n % 3],
       jsonb_build_object('path', '/programs/' || 1 + n % 16, 'session', md5((n / 9)::text))
from generate_series(1, :rows) n;
