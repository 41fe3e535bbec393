"""A server's roles as facts that a restore must reproduce: attributes, passwords, settings, memberships."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

ROLES = b"""
SELECT quote_ident(r.rolname), concat_ws(' ',
  CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolinherit THEN 'inherit' END,
  CASE WHEN r.rolcreaterole THEN 'createrole' END, CASE WHEN r.rolcreatedb THEN 'createdb' END,
  CASE WHEN r.rolcanlogin THEN 'login' END, CASE WHEN r.rolreplication THEN 'replication' END,
  CASE WHEN r.rolbypassrls THEN 'bypassrls' END, 'limit ' || r.rolconnlimit, 'until ' || r.rolvaliduntil,
  'settings ' || md5(r.rolconfig::text), 'comment ' || md5(shobj_description(r.oid, 'pg_authid')))
FROM pg_roles AS r WHERE r.rolname !~ '^pg_' ORDER BY 1
"""
MEMBERSHIPS = b"""
SELECT quote_ident(pg_get_userbyid(m.member)) || ' in ' || quote_ident(pg_get_userbyid(m.roleid)),
  concat_ws(' ', 'member', CASE WHEN bool_or(m.admin_option) THEN 'admin' END,
  string_agg(DISTINCT (to_jsonb(m) - '{oid,roleid,member,grantor,admin_option}'::text[])::text, ' '))
FROM pg_auth_members AS m WHERE pg_get_userbyid(m.member) !~ '^pg_' GROUP BY m.member, m.roleid ORDER BY 1
"""
PASSWORDS = b"SELECT quote_ident(rolname) || ' password', md5(rolpassword) FROM pg_authid WHERE rolname !~ '^pg_'"


def role_facts(connection: psycopg.Connection, passwords: bool) -> dict[str, str]:
    """`ROLE`, `ROLE in ROLE` and, with *passwords*, `ROLE password` → what is so. Changes nothing.

    A password is told by a hash of its verifier, which is in the backup's roles anyway.
    """
    queries = (ROLES, MEMBERSHIPS, PASSWORDS) if passwords else (ROLES, MEMBERSHIPS)
    rows = [row for query in queries for row in connection.execute(query).fetchall()]
    return {str(name): str(told) for name, told in rows if told is not None}


def differing_roles(wanted: Mapping[str, str], seen: Mapping[str, str], same_major: bool) -> list[str]:
    """The facts of *wanted* that are not so in *seen*, and what is there beyond them.

    Another major version knows other options of a membership: only that it is there is compared then.
    """
    extra = [name for name in seen if name not in wanted and not name.endswith(" password")]
    differ = [name for name, told in wanted.items() if seen.get(name) != told]
    if not same_major:
        differ = [name for name in differ if " in " not in name or name not in seen]
    return sorted({*extra, *differ})
