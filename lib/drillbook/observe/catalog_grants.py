"""Who owns what and who may do what: one query a kind, each giving (object, owner and ACL as JSON) rows."""

from __future__ import annotations

from typing import LiteralString

from drillbook.observe.catalog_sql import SCHEMAS, mine, relations


def _acl(acl: LiteralString, kind: LiteralString, owner: LiteralString) -> LiteralString:
    """The ACL as sorted JSON, null when it only says what the default says."""
    exploded: LiteralString = (
        "(SELECT jsonb_agg(DISTINCT jsonb_build_array(coalesce(pg_get_userbyid(nullif(e.grantee, 0)), ''), "
        "e.privilege_type, e.is_grantable)) FROM aclexplode("
    )
    default: LiteralString = "acldefault('" + kind + "', " + owner + ")"
    whole: LiteralString = "coalesce(" + exploded + acl + ") AS e), '[]')"
    return "CASE WHEN " + acl + " IS NULL THEN NULL ELSE nullif(" + whole + ", " + exploded + default + ") AS e)) END"


def _grant(name: LiteralString, acl: LiteralString, kind: LiteralString, owner: LiteralString) -> LiteralString:
    return (
        "SELECT " + name + ", jsonb_build_object('owner', pg_get_userbyid(" + owner + "), 'acl', "
        + _acl(acl, kind, owner) + ")::text "
    )  # fmt: skip


def _system(
    catalog: LiteralString, name: LiteralString, columns: tuple[LiteralString, ...], kind: LiteralString
) -> LiteralString:
    """Of PostgreSQL's and extensions' own objects those whose ACL is no longer the one that they came with."""
    acl, owner, schema = columns
    return (
        _grant("'system ' || " + name, "c." + acl, kind, "c." + owner)
        + "FROM (SELECT x.*, coalesce((SELECT p.initprivs FROM pg_init_privs AS p WHERE p.classoid = 'pg_catalog."
        + catalog + "'::regclass AND p.objoid = x.oid "
        "AND p.objsubid = 0), acldefault('" + kind + "', x." + owner + ")) AS first FROM " + catalog + " AS x WHERE x."
        + acl + " IS NOT NULL) AS c JOIN pg_namespace AS n ON n.oid = c." + schema + " WHERE NOT (c." + acl
        + " @> c.first AND c.first @> c." + acl + ") AND (n.nspname = 'pg_catalog' OR " + SCHEMAS + " AND NOT "
        + mine(catalog, "c.oid") + ")"
    )  # fmt: skip


GRANTS: tuple[LiteralString, ...] = (
    _grant("'database'", "x.datacl", "d", "x.datdba") + "FROM pg_database AS x WHERE x.datname = current_database()",
    _grant("'schema ' || quote_ident(n.nspname)", "n.nspacl", "n", "n.nspowner") + "FROM pg_namespace AS n WHERE "
    + SCHEMAS + " AND " + mine("pg_namespace", "n.oid"),
    _grant("'table ' || c.oid::regclass::text", "c.relacl", "r", "c.relowner")
    + relations("'r', 'p', 'v', 'm', 'f'"),
    _grant("'sequence ' || c.oid::regclass::text", "c.relacl", "s", "c.relowner") + relations("'S'"),
    _grant("'function ' || p.oid::regprocedure::text", "p.proacl", "f", "p.proowner") + "FROM pg_proc AS p "
    "JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE " + SCHEMAS + " AND " + mine("pg_proc", "p.oid"),
    _grant("'type ' || format_type(t.oid, NULL)", "t.typacl", "T", "t.typowner") + "FROM pg_type AS t "
    "JOIN pg_namespace AS n ON n.oid = t.typnamespace LEFT JOIN pg_class AS c ON c.oid = t.typrelid "
    "WHERE (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c' OR t.typtype = 'b' AND t.typelem = 0) AND " + SCHEMAS
    + " AND " + mine("pg_type", "t.oid"),
    _grant("'large_object ' || o.oid", "o.lomacl", "L", "o.lomowner") + "FROM pg_largeobject_metadata AS o",
    _grant("'foreign_server ' || quote_ident(s.srvname)", "s.srvacl", "S", "s.srvowner")
    + "FROM pg_foreign_server AS s WHERE " + mine("pg_foreign_server", "s.oid"),
    _grant("'foreign_data_wrapper ' || quote_ident(w.fdwname)", "w.fdwacl", "F", "w.fdwowner")
    + "FROM pg_foreign_data_wrapper AS w WHERE " + mine("pg_foreign_data_wrapper", "w.oid"),
    _grant("'language ' || quote_ident(l.lanname)", "l.lanacl", "l", "l.lanowner") + "FROM pg_language AS l WHERE "
    "l.lanispl",
    _system("pg_class", "c.oid::regclass::text", ("relacl", "relowner", "relnamespace"), "r"),
    _system("pg_proc", "c.oid::regprocedure::text", ("proacl", "proowner", "pronamespace"), "f"),
    "SELECT 'column ' || c.oid::regclass::text || '.' || quote_ident(a.attname), "
    + _acl("a.attacl", "c", "c.relowner") + "::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND " + SCHEMAS
    + " AND " + mine("pg_class", "c.oid"),
    "SELECT concat_ws(' ', 'default', pg_get_userbyid(d.defaclrole), d.defaclnamespace::regnamespace, "
    "d.defaclobjtype), "
    "(SELECT jsonb_agg(DISTINCT jsonb_build_array(coalesce(pg_get_userbyid(nullif(e.grantee, 0)), ''), "
    "e.privilege_type, e.is_grantable))::text FROM aclexplode(d.defaclacl) AS e) FROM pg_default_acl AS d",
)  # fmt: skip
