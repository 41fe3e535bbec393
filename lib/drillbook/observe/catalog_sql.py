"""The schema as definitions: one query a kind, each giving (name, definition) rows.

Objects that belong to an extension are left out: the extension's version
stands for them. Definitions come from the server's own functions,
so that a restored object reads the same.
"""

from __future__ import annotations

from typing import LiteralString

SCHEMAS: LiteralString = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"


def mine(catalog: LiteralString, oid: LiteralString) -> LiteralString:
    """The condition that the object *oid* of *catalog* belongs to no extension."""
    return (
        "NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = '" + catalog + "'::regclass AND d.objid = " + oid
        + " AND d.objsubid = 0 AND d.deptype = 'e')"
    )  # fmt: skip


def relations(kinds: LiteralString) -> LiteralString:
    return (
        "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind IN (" + kinds
        + ") AND c.relpersistence <> 't' AND " + SCHEMAS + " AND " + mine("pg_class", "c.oid")
    )  # fmt: skip


TABLES: LiteralString = (
    "SELECT c.oid, n.nspname, c.relname, pg_total_relation_size(c.oid), "
    "(SELECT coalesce(json_agg(json_build_array("
    "a.attname, a.atttypid::int8, NOT coalesce(l.collisdeterministic, true))), '[]') FROM pg_attribute AS a "
    "LEFT JOIN pg_collation AS l ON l.oid = a.attcollation"
    " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v') "
    + relations("'r'") + " ORDER BY 2, 3"
)  # fmt: skip

SEQUENCES: LiteralString = (
    "SELECT n.nspname, c.relname, q.last_value, s.seqincrement > 0, "
    "(SELECT json_build_array(on_.nspname, o.relname, a.attname) FROM pg_depend AS d "
    " JOIN pg_class AS o ON o.oid = d.refobjid JOIN pg_namespace AS on_ ON on_.oid = o.relnamespace "
    " JOIN pg_attribute AS a ON a.attrelid = o.oid AND a.attnum = d.refobjsubid "
    " WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0"
    " AND d.refclassid = 'pg_class'::regclass AND a.atttypid IN (20, 21, 23) LIMIT 1) "
    "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_sequence AS s ON s.seqrelid = c.oid "
    "JOIN pg_sequences AS q ON q.schemaname = n.nspname AND q.sequencename = c.relname "
    "WHERE c.relpersistence <> 't' AND " + SCHEMAS + " AND " + mine("pg_class", "c.oid") + " ORDER BY 1, 2"
)  # fmt: skip

HELD: LiteralString = (
    "WITH held AS MATERIALIZED (SELECT relation, pid FROM pg_locks WHERE locktype = 'relation' "
    "AND mode = 'AccessExclusiveLock' AND database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())) "
)

USED_SEQUENCES: LiteralString = (
    HELD + "SELECT n.nspname, c.relname, CASE WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE') "
    "AND NOT EXISTS (SELECT FROM held AS l WHERE l.relation = c.oid) "
    "THEN pg_sequence_last_value(c.oid) END " + relations("'S'")
)  # fmt: skip

MEASURES: LiteralString = (
    "SELECT b.oid::text, (SELECT count(*) FROM pg_stat_activity AS a WHERE a.backend_type = 'client backend' "
    "OR a.backend_type IS NULL AND a.usesysid IS NOT NULL AND a.datid IS NOT NULL), "
    "current_setting('max_connections')::int, pg_database_size(b.oid) "
    "FROM pg_database AS b WHERE b.datname = current_database()"
)

EXTENSIONS: LiteralString = "SELECT extname, extversion FROM pg_extension"

SETTINGS: LiteralString = """
SELECT 'owner', pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'encoding', pg_encoding_to_char(encoding)::text FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'collate', datcollate::text FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'ctype', datctype::text FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'connection_limit', datconnlimit::text FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'comment', coalesce(shobj_description(oid, 'pg_database'), '')
    FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'locale_provider', coalesce(to_jsonb(b) ->> 'datlocprovider', 'c')
    FROM pg_database AS b WHERE datname = current_database()
UNION ALL SELECT 'locale', coalesce(to_jsonb(b) ->> 'datlocale', to_jsonb(b) ->> 'daticulocale', '')
    FROM pg_database AS b WHERE datname = current_database()
UNION ALL SELECT 'set:' || coalesce(pg_get_userbyid(nullif(s.setrole, 0)), '') || ':' || split_part(line, '=', 1),
    substr(line, strpos(line, '=') + 1)
    FROM pg_db_role_setting AS s JOIN pg_database AS b ON b.oid = s.setdatabase, unnest(s.setconfig) AS line
    WHERE b.datname = current_database()
"""

# Without pg_attver: since the minor releases of November 2026 the server puts a number of its own there, a new one for
# each table that is made, which no restore reproduces.
ATTRIBUTE_OPTIONS: LiteralString = (
    "nullif(ARRAY(SELECT o.o FROM unnest(a.attoptions) WITH ORDINALITY AS o(o, n) WHERE o.o !~ '^pg_attver=' "
    "ORDER BY o.n)::text, '{}')"
)

OBJECTS: dict[str, LiteralString] = {
    "schema": "SELECT quote_ident(n.nspname), 'schema' FROM pg_namespace AS n WHERE " + SCHEMAS + " AND "
    + mine("pg_namespace", "n.oid"),
    "table": "SELECT c.oid::regclass::text, concat_ws(' ', c.relkind, c.relpersistence, pg_get_partkeydef(c.oid), "
    "pg_get_expr(c.relpartbound, c.oid), c.reloptions::text, CASE WHEN c.relrowsecurity THEN 'rls' END, "
    "CASE WHEN c.relforcerowsecurity THEN 'forced' END, 'replica ' || c.relreplident::text, "
    "(SELECT 'inherits ' || string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_inherits AS i "
    "WHERE i.inhrelid = c.oid)) " + relations("'r', 'p'"),
    "foreign_table": "SELECT c.oid::regclass::text, (SELECT s.srvname || ' ' || coalesce(f.ftoptions::text, '') "
    "FROM pg_foreign_table AS f JOIN pg_foreign_server AS s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid) "
    + relations("'f'"),
    "column": "SELECT c.oid::regclass::text || '.' || quote_ident(a.attname), concat_ws(' ', "
    "format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END, "
    "CASE WHEN a.attidentity <> '' THEN 'identity ' || a.attidentity::text END, "
    "CASE WHEN a.attgenerated <> '' THEN 'generated ' || a.attgenerated::text END, "
    "(SELECT 'default ' || pg_get_expr(e.adbin, e.adrelid) FROM pg_attrdef AS e "
    "WHERE e.adrelid = a.attrelid AND e.adnum = a.attnum), "
    "(SELECT 'collate ' || l.oid::regcollation::text FROM pg_collation AS l JOIN pg_type AS t ON t.oid = a.atttypid "
    "WHERE l.oid = a.attcollation AND l.oid <> t.typcollation), "
    "CASE WHEN a.attstorage <> (SELECT t.typstorage FROM pg_type AS t WHERE t.oid = a.atttypid) "
    "THEN 'storage ' || a.attstorage::text END, " + ATTRIBUTE_OPTIONS + ") "
    "FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND "
    + SCHEMAS + " AND " + mine("pg_class", "c.oid"),
    "index": "SELECT c.oid::regclass::text, pg_get_indexdef(c.oid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' "
    "END || CASE WHEN i.indisclustered THEN ' CLUSTERED' ELSE '' END FROM pg_index AS i "
    "JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE c.relpersistence <> 't' AND " + SCHEMAS + " AND " + mine("pg_class", "i.indrelid"),
    "foreign_key": "SELECT k.conrelid::regclass::text || '.' || quote_ident(k.conname), pg_get_constraintdef(k.oid) "
    "|| CASE WHEN k.convalidated THEN '' ELSE ' (unvalidated)' END FROM pg_constraint AS k "
    "JOIN pg_namespace AS n ON n.oid = k.connamespace WHERE k.contype = 'f' AND k.conrelid <> 0 AND " + SCHEMAS
    + " AND " + mine("pg_class", "k.conrelid"),
    "constraint": "SELECT k.conrelid::regclass::text || '.' || quote_ident(k.conname), pg_get_constraintdef(k.oid) "
    "|| CASE WHEN k.convalidated THEN '' ELSE ' (unvalidated)' END FROM pg_constraint AS k "
    "JOIN pg_namespace AS n ON n.oid = k.connamespace WHERE k.contype IN ('p', 'u', 'x', 'c') AND k.conrelid <> 0 AND "
    + SCHEMAS + " AND " + mine("pg_class", "k.conrelid"),
    "view": "SELECT c.oid::regclass::text, concat_ws(' ', pg_get_viewdef(c.oid), c.reloptions::text) "
    + relations("'v'"),
    "materialized_view": "SELECT c.oid::regclass::text, pg_get_viewdef(c.oid) " + relations("'m'"),
    "sequence": "SELECT c.oid::regclass::text, (SELECT concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, "
    "s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle) FROM pg_sequence AS s WHERE s.seqrelid = c.oid) || "
    "coalesce((SELECT ' owned by ' || d.refobjid::regclass::text || '.' || a.attname FROM pg_depend AS d "
    "JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid WHERE d.objid = c.oid "
    "AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1), '') " + relations("'S'"),
    "function": "SELECT p.oid::regprocedure::text, CASE WHEN p.prokind = 'a' THEN (SELECT concat_ws(' ', 'aggregate', "
    "g.aggtransfn::regprocedure, g.aggfinalfn::regproc, g.aggcombinefn::regproc, g.aggtranstype::regtype, "
    "g.agginitval, g.aggkind) FROM pg_aggregate AS g WHERE g.aggfnoid = p.oid) ELSE pg_get_functiondef(p.oid) END "
    "FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE " + SCHEMAS + " AND "
    + mine("pg_proc", "p.oid") + " AND NOT EXISTS (SELECT FROM pg_depend AS x WHERE x.classid = 'pg_proc'::regclass "
    "AND x.objid = p.oid AND x.deptype = 'i')",
    "trigger": "SELECT t.tgrelid::regclass::text || '.' || quote_ident(t.tgname), pg_get_triggerdef(t.oid) || ' ' || "
    "t.tgenabled::text FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND " + SCHEMAS + " AND "
    + mine("pg_class", "c.oid"),
    "rule": "SELECT r.ev_class::regclass::text || '.' || quote_ident(r.rulename), pg_get_ruledef(r.oid) || ' ' || "
    "r.ev_enabled::text FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE r.rulename <> '_RETURN' AND " + SCHEMAS + " AND "
    + mine("pg_class", "c.oid"),
    "policy": "SELECT p.polrelid::regclass::text || '.' || quote_ident(p.polname), concat_ws(' ', p.polcmd, "
    "p.polpermissive, (SELECT string_agg(coalesce(pg_get_userbyid(nullif(r, 0)), 'public'), ',' ORDER BY 1) "
    "FROM unnest(p.polroles) AS r), pg_get_expr(p.polqual, p.polrelid), '/', "
    "pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE " + SCHEMAS + " AND " + mine("pg_class", "c.oid"),
    "type": "SELECT format_type(t.oid, NULL), CASE t.typtype "
    "WHEN 'e' THEN 'enum ' || coalesce((SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) "
    "FROM pg_enum AS e WHERE e.enumtypid = t.oid), '') "
    "WHEN 'd' THEN concat_ws(' ', 'domain', format_type(t.typbasetype, t.typtypmod), "
    "CASE WHEN t.typnotnull THEN 'not null' END, t.typdefault, (SELECT string_agg(quote_ident(k.conname) || ' ' || "
    "pg_get_constraintdef(k.oid), ', ' ORDER BY k.conname) FROM pg_constraint AS k "
    "WHERE k.contypid = t.oid AND k.contype = 'c')) "
    "WHEN 'c' THEN 'composite ' || coalesce((SELECT string_agg(quote_ident(a.attname) || ' ' || "
    "format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) FROM pg_attribute AS a "
    "WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') "
    "WHEN 'r' THEN 'range ' || (SELECT format_type(g.rngsubtype, NULL) FROM pg_range AS g WHERE g.rngtypid = t.oid) "
    "ELSE 'base' END FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace "
    "LEFT JOIN pg_class AS c ON c.oid = t.typrelid WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' "
    "AND c.relkind = 'c' OR t.typtype = 'b' AND t.typelem = 0) AND " + SCHEMAS + " AND " + mine("pg_type", "t.oid"),
    "statistics": "SELECT quote_ident(n.nspname) || '.' || quote_ident(s.stxname), pg_get_statisticsobjdef(s.oid) "
    "FROM pg_statistic_ext AS s JOIN pg_namespace AS n ON n.oid = s.stxnamespace WHERE " + SCHEMAS,
    "comment": "SELECT i.type || ' ' || i.identity, o.description FROM pg_description AS o, LATERAL "
    "pg_identify_object(o.classoid, o.objoid, o.objsubid) AS i WHERE o.objoid >= 16384 AND i.identity IS NOT NULL "
    "AND o.classoid <> 'pg_largeobject'::regclass AND coalesce(i.schema, '') !~ '^pg_(toast|temp)' "
    "AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = o.classoid AND d.objid = o.objoid "
    "AND d.deptype = 'e')",
    "publication": "SELECT quote_ident(p.pubname), concat_ws(' ', p.puballtables, p.pubinsert, p.pubupdate, "
    "p.pubdelete, p.pubtruncate, (SELECT string_agg(r.prrelid::regclass::text, ', ' ORDER BY r.prrelid::regclass::text)"
    " FROM pg_publication_rel AS r WHERE r.prpubid = p.oid)) FROM pg_publication AS p",
    "event_trigger": "SELECT quote_ident(e.evtname), concat_ws(' ', e.evtevent, e.evtfoid::regprocedure, e.evtenabled, "
    "e.evttags::text) FROM pg_event_trigger AS e WHERE " + mine("pg_event_trigger", "e.oid"),
}  # fmt: skip

OTHER_CATALOGS: tuple[LiteralString, ...] = (
    "pg_collation", "pg_operator", "pg_opclass", "pg_opfamily", "pg_cast", "pg_conversion", "pg_ts_config",
    "pg_ts_dict", "pg_foreign_server", "pg_foreign_data_wrapper", "pg_language", "pg_transform", "pg_am",
)  # fmt: skip


def other(catalog: LiteralString) -> LiteralString:
    """(kind, name) of the objects in *catalog* that someone made: that they are there is what is compared."""
    return (
        "SELECT replace(i.type, ' ', '_'), i.identity FROM " + catalog + " AS x, LATERAL pg_identify_object('"
        + catalog + "'::regclass, x.oid, 0) AS i WHERE x.oid >= 16384 AND " + mine("pg_catalog." + catalog, "x.oid")
    )  # fmt: skip


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
    "WHERE (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c') AND " + SCHEMAS + " AND " + mine("pg_type", "t.oid"),
    _grant("'large_object ' || o.oid", "o.lomacl", "L", "o.lomowner") + "FROM pg_largeobject_metadata AS o",
    _grant("'foreign_server ' || quote_ident(s.srvname)", "s.srvacl", "S", "s.srvowner")
    + "FROM pg_foreign_server AS s WHERE " + mine("pg_foreign_server", "s.oid"),
    "SELECT 'column ' || c.oid::regclass::text || '.' || quote_ident(a.attname), "
    + _acl("a.attacl", "c", "c.relowner") + "::text FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND " + SCHEMAS
    + " AND " + mine("pg_class", "c.oid"),
    "SELECT concat_ws(' ', 'default', pg_get_userbyid(d.defaclrole), d.defaclnamespace::regnamespace, "
    "d.defaclobjtype), "
    "(SELECT jsonb_agg(DISTINCT jsonb_build_array(coalesce(pg_get_userbyid(nullif(e.grantee, 0)), ''), "
    "e.privilege_type, e.is_grantable))::text FROM aclexplode(d.defaclacl) AS e) FROM pg_default_acl AS d",
)  # fmt: skip
