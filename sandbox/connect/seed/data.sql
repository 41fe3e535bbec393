-- The rows of the practice site: 10 users, 12 organizations, 16 programs, 50 matches, some of most others.
-- Nothing here depends on the clock or on chance: every sandbox starts with the same content.
set timezone to 'UTC';

insert into industry_codes (code, name, parent)
values ('C', '제조업', null), ('J', '정보통신업', null), ('M', '전문, 과학 및 기술 서비스업', null),
       ('C29', '기타 기계 및 장비 제조업', 'C'), ('C21', '의약품 제조업', 'C'), ('J58', '소프트웨어 개발', 'J'),
       ('M70', '연구개발업', 'M');

insert into organizations (slug, name, type, business_number_hash, industry_codes, employees, revenue_krw, profile, founded, created_at)
select slug, name, type::organization_type, sha256(slug::bytea), codes::text[], employees, revenue,
       jsonb_build_object('trl', 3 + n % 6, 'certifications', case when n % 3 = 0 then '["ISO9001"]'::jsonb else '[]' end),
       date '2010-03-01' + n * 211, timestamptz '2025-08-01 09:00:00Z' + n * interval '1 day 37 min'
from (values
    (1, 'hanbit-robotics', '한빛로보틱스', 'company', '{C29,J58}', 48, 9120000000.00),
    (2, 'seoul-biotech', '서울바이오텍', 'company', '{C21}', 112, 31400000000.50),
    (3, 'jeju-ocean', '제주해양연구원', 'research_institute', '{M70}', 230, null),
    (4, 'daejeon-ai', '대전AI랩', 'company', '{J58}', 17, 1250000000.00),
    (5, 'busan-green', '부산그린모빌리티', 'company', '{C29}', 64, 15000000000.00),
    (6, 'kaist-spinoff', 'KAIST Spin-off No. 6', 'company', '{J58,M70}', 6, 0.00),
    (7, 'gwangju-photonics', '광주포토닉스', 'company', '{C29}', 39, 7800000000.00),
    (8, 'inha-university', '인하대학교 산학협력단', 'university', '{M70}', 410, null),
    (9, 'kitech', '한국생산기술연구원', 'research_institute', '{M70,C}', 1200, null),
    (10, 'ulsan-hydrogen', '울산수소', 'company', '{C}', 85, 22000000000.00),
    (11, 'pangyo-fintech', 'Pangyo "Fintech" & Söhne', 'company', '{J58}', 22, 3300000000.25),
    (12, 'sejong-public', '세종공공데이터', 'public', '{}', null, null)
) as o (n, slug, name, type, codes, employees, revenue) order by n;

insert into users (organization_id, email, name, role, settings, last_login_at, created_at)
select case when n = 10 then null else n end, format('user%s@example.com', n), 'User ' || n,
       (case n when 1 then 'super_admin' when 2 then 'admin' else 'user' end)::user_role,
       jsonb_build_object('locale', 'ko-KR', 'digest', n % 2 = 0),
       case when n < 9 then timestamptz '2025-10-12 21:00:00Z' - n * interval '7 hours' end,
       timestamptz '2025-08-02 10:00:00Z' + n * interval '1 day'
from generate_series(1, 10) n;

insert into accounts (user_id, provider, provider_account_id, scopes, expires_at)
select n, case when n % 2 = 0 then 'kakao' else 'naver' end, md5('account' || n), '{profile,email}',
       timestamptz '2026-01-01 00:00:00Z' + n * interval '1 hour'
from generate_series(1, 8) n;

insert into sessions (id, user_id, token_hash, address, expires_at)
select md5('session' || n)::uuid, 1 + n % 10, sha256(('token' || n)::bytea), inet '203.0.113.0' + n,
       timestamptz '2025-11-12 00:00:00Z' + n * interval '13 min'
from generate_series(1, 14) n;

insert into agencies (code, name, homepage)
values ('IITP', '정보통신기획평가원', 'https://www.iitp.kr'), ('KEIT', '한국산업기술기획평가원', 'https://www.keit.re.kr'),
       ('TIPA', '중소기업기술정보진흥원', 'https://www.tipa.or.kr'), ('KIMST', '해양수산과학기술진흥원', null);

insert into funding_programs
    (agency_id, code, title, status, budget_krw, min_trl, max_trl, application_period, keywords, eligibility, content_hash, scraped_at)
select 1 + n % 4, format('P2025-%s', lpad(n::text, 3, '0')), format('2025 지원사업 %s호', n),
       (array['active', 'active', 'closed', 'draft'])[1 + n % 4]::program_status,
       case when n <> 9 then n * 125000000.00 end, 1 + n % 4, 5 + n % 5,
       daterange(date '2025-09-01' + n, date '2025-11-01' + 2 * n), (array['ai', 'robotics', 'green', 'bio'])[1 + n % 3 : 2 + n % 3],
       jsonb_build_object('max_employees', n * 50, 'regions', jsonb_build_array('KR-11', 'KR-26')),
       sha256(('program' || n)::bytea), timestamptz '2025-10-12 20:00:00Z' - n * interval '3 hours'
from generate_series(1, 16) n;

insert into funding_matches (organization_id, program_id, score, weight, status, explanation, created_at)
select 1 + (n - 1) % 12, 1 + (n * 5) % 16, 40 + (n * 37) % 6000 / 100.0, 1.0 / n,
       (array['new', 'viewed', 'saved', 'dismissed'])[1 + n % 4]::match_status,
       jsonb_build_object('reasons', jsonb_build_array('industry', 'trl'), 'rank', n),
       timestamptz '2025-10-10 00:00:00Z' + n * interval '41 min'
from generate_series(1, 50) n;

insert into match_feedback (match_id, user_id, helpful, comment)
select n * 3, 1 + n % 10, n % 3 <> 0, case when n % 4 = 0 then E'two\nlines, a tab\there and a \\ backslash' end
from generate_series(1, 12) n;

insert into program_documents (program_id, filename, media_type, body)
select n, format('공고문-%s.pdf', n), 'application/pdf', decode(repeat(md5('document' || n), 40 * n), 'hex')
from generate_series(1, 16) n;

insert into scraping_sources (agency_id, url, selector, every, enabled)
select n, format('https://example.com/agency/%s/list', n), jsonb_build_object('row', 'table.list > tr', 'title', 'td.subject'),
       n * interval '6 hours', n <> 4
from generate_series(1, 4) n;

insert into scraping_logs (source_id, started_at, duration_ms, found, error)
select 1 + n % 4, timestamptz '2025-10-01 00:00:00Z' + n * interval '6 hours', 900 + n * 13 % 700, n % 5,
       case when n % 11 = 0 then 'HTTP 503' end
from generate_series(1, 40) n;

insert into subscriptions (organization_id, plan, price_krw, period, cancelled_at)
select n, case when n % 2 = 0 then 'pro' else 'starter' end, 49000.00 * n,
       tstzrange(timestamptz '2025-09-01 00:00:00Z', timestamptz '2025-09-01 00:00:00Z' + n * interval '1 month'),
       case when n = 5 then timestamptz '2025-10-01 12:34:56.789Z' end
from generate_series(1, 6) n;

insert into payments (subscription_id, reference, amount_krw, paid_at)
select 1 + n % 6, format('PAY-%s', 1000 + n), 49000.00 * (1 + n % 6),
       case when n < 9 then timestamptz '2025-09-03 00:00:00Z' + n * interval '3 days' end
from generate_series(1, 10) n;

insert into notifications (user_id, kind, payload, read_at)
select 1 + n % 10, 'match.new', jsonb_build_object('match', n), case when n % 2 = 0 then timestamptz '2025-10-12 08:00:00Z' end
from generate_series(1, 20) n;

insert into audit_logs (user_id, action, subject, before, after, at)
select case when n % 7 <> 0 then 1 + n % 10 end, 'organization.update', 'organization:' || 1 + n % 12,
       jsonb_build_object('employees', n), jsonb_build_object('employees', n + 1),
       timestamptz '2025-10-05 00:00:00Z' + n * interval '77 min'
from generate_series(1, 30) n;

insert into events (at, kind, payload)
select timestamptz '2025-10-12 00:00:00Z' + n * interval '1 min', (array['view', 'search', 'click'])[1 + n % 3],
       jsonb_build_object('path', '/programs/' || 1 + n % 16, 'ms', n * 7 % 240)
from generate_series(1, 60) n;

insert into partner_contacts (organization_id, name, phone, note)
select n, '담당자 ' || n, '+82-2-555-' || 1000 + n, nullif('', '') from generate_series(1, 5) n;

insert into consortiums (program_id, lead_id, name, formed_on)
values (3, 1, 'Smart Factory 2025', date '2025-09-15'), (7, 5, 'Green Mobility', date '2025-10-01');

insert into consortium_members (consortium_id, organization_id, share)
values (1, 1, 0.5000), (1, 4, 0.3000), (1, 9, 0.2000), (2, 5, 0.6000), (2, 10, 0.4000);

insert into api_keys (id, organization_id, key_hash, scopes, last_used_at)
values (md5('key1')::uuid, 1, sha256('key1'), '{matches:read}', timestamptz '2025-10-12 23:59:59.999999Z'),
       (md5('key2')::uuid, 11, sha256('key2'), '{matches:read,programs:read}', null);

insert into feature_flags (name, enabled, rules)
values ('explanations', true, '[{"plan": "pro"}]'), ('consortiums', false, '[]'), ('new-matcher', true, '[{"percent": 25}]');
