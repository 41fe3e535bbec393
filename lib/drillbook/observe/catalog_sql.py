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
    "a.attname, a.atttypid::int8, NOT coalesce(l.collisdeterministic, true), a.attnotnull AND NOT EXISTS ("
    "SELECT FROM pg_constraint AS k WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated), "
    "(SELECT y.typtype = 'e' FROM pg_type AS y WHERE y.oid = a.atttypid))), '[]') FROM pg_attribute AS a "
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

# Without pg_attver: Debian's PostgreSQL 17.12 puts a number of its own there, a new one for each table that is made,
# which no restore reproduces.
ATTRIBUTE_OPTIONS: LiteralString = (
    "nullif(ARRAY(SELECT o.o FROM unnest(a.attoptions) WITH ORDINALITY AS o(o, n) WHERE o.o !~ '^pg_attver=' "
    "ORDER BY o.n)::text, '{}')"
)

BODY: LiteralString = (
    "CASE WHEN pg_get_functiondef(p.oid) ~ E'\\nBEGIN ATOMIC\\n' THEN regexp_replace(pg_get_functiondef(p.oid), "
    "E' AS (\"([^\"]|\"\")+\"|[\\\\w$]+)(?=[,;]?$)', '', 'gn') ELSE pg_get_functiondef(p.oid) END"
)
"""A function as it was written; without the names of columns where the server writes it from its parsed body.

There a nameless column comes back from a restore with a name, which nobody can see from outside.
"""

OBJECTS: dict[str, LiteralString] = {
    "schema": "SELECT quote_ident(n.nspname), 'schema' FROM pg_namespace AS n WHERE " + SCHEMAS + " AND "
    + mine("pg_namespace", "n.oid"),
    "table": "SELECT c.oid::regclass::text, concat_ws(' ', c.relkind, c.relpersistence, pg_get_partkeydef(c.oid), "
    "pg_get_expr(c.relpartbound, c.oid), c.reloptions::text, CASE WHEN c.relrowsecurity THEN 'rls' END, "
    "CASE WHEN c.relforcerowsecurity THEN 'forced' END, 'replica ' || c.relreplident::text, "
    "CASE WHEN c.reloftype <> 0 THEN 'of ' || format_type(c.reloftype, NULL) END, "
    "(SELECT 'using ' || m.amname FROM pg_am AS m WHERE m.oid = c.relam AND m.amname <> 'heap'), "
    "(SELECT 'toast ' || o.reloptions::text FROM pg_class AS o WHERE o.oid = c.reltoastrelid), "
    "(SELECT 'inherits ' || string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_inherits AS i "
    "WHERE i.inhrelid = c.oid)) " + relations("'r', 'p'"),
    "foreign_table": "SELECT c.oid::regclass::text, (SELECT s.srvname || ' ' || coalesce(f.ftoptions::text, '') "
    "FROM pg_foreign_table AS f JOIN pg_foreign_server AS s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid) "
    + relations("'f'"),
    "column": "SELECT c.oid::regclass::text || '.' || quote_ident(a.attname), concat_ws(' ', "
    "format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END, "
    "(SELECT '(unvalidated)' FROM pg_constraint AS k WHERE k.contype = 'n' AND k.conrelid = c.oid "
    "AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated), "
    "CASE WHEN a.attidentity <> '' THEN 'identity ' || a.attidentity::text END, "
    "CASE WHEN a.attgenerated <> '' THEN 'generated ' || a.attgenerated::text END, "
    "(SELECT 'default ' || pg_get_expr(e.adbin, e.adrelid) FROM pg_attrdef AS e "
    "WHERE e.adrelid = a.attrelid AND e.adnum = a.attnum), "
    "(SELECT 'collate ' || l.oid::regcollation::text FROM pg_collation AS l JOIN pg_type AS t ON t.oid = a.atttypid "
    "WHERE l.oid = a.attcollation AND l.oid <> t.typcollation), "
    "CASE WHEN a.attstorage <> (SELECT t.typstorage FROM pg_type AS t WHERE t.oid = a.atttypid) "
    "THEN 'storage ' || a.attstorage::text END, " + ATTRIBUTE_OPTIONS + ", "
    "'compression ' || nullif(to_jsonb(a) ->> 'attcompression', ''), (SELECT md5(string_agg(o, ',' ORDER BY o)) FROM "
    "unnest(a.attfdwoptions) AS o), "
    "CASE WHEN a.attstattarget >= 0 THEN 'statistics ' || a.attstattarget END) "
    "FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE a.attnum > 0 AND NOT a.attisdropped AND (c.relkind IN ('r', 'p', 'f', 'm') OR c.relkind = 'v' AND "
    "a.atthasdef) "
    "AND c.relpersistence <> 't' AND " + SCHEMAS + " AND " + mine("pg_class", "c.oid"),
    "index": "SELECT c.oid::regclass::text, pg_get_indexdef(c.oid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' "
    "END || CASE WHEN i.indisclustered THEN ' CLUSTERED' ELSE '' END || CASE WHEN i.indisreplident "
    "THEN ' REPLICA IDENTITY' ELSE '' END || coalesce((SELECT ' of ' || h.inhparent::regclass::text FROM pg_inherits "
    "AS h WHERE h.inhrelid = c.oid), '') || coalesce((SELECT ' statistics ' || string_agg(a.attnum || ':' || "
    "a.attstattarget, ' ' ORDER BY a.attnum) FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attstattarget >= "
    "0), "
    "'') FROM pg_index AS i "
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
    "materialized_view": "SELECT c.oid::regclass::text, concat_ws(' ', pg_get_viewdef(c.oid), c.reloptions::text, "
    "CASE WHEN NOT c.relispopulated THEN 'with no data' END) " + relations("'m'"),
    "sequence": "SELECT c.oid::regclass::text, (SELECT concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, "
    "s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle) FROM pg_sequence AS s WHERE s.seqrelid = c.oid) || "
    "coalesce((SELECT ' owned by ' || d.refobjid::regclass::text || '.' || a.attname FROM pg_depend AS d "
    "JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid WHERE d.objid = c.oid "
    "AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1), '') " + relations("'S'"),
    "function": "SELECT p.oid::regprocedure::text, CASE WHEN p.prokind = 'a' THEN (SELECT concat_ws(' ', 'aggregate', "
    "to_jsonb(g) - '{aggtranstype,aggmtranstype,aggsortop}'::text[], g.aggtranstype::regtype, "
    "g.aggmtranstype::regtype, g.aggsortop::regoperator, p.proparallel) FROM pg_aggregate AS g WHERE g.aggfnoid = "
    "p.oid) ELSE " + BODY + " END "
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
    "p.polpermissive, (SELECT string_agg(coalesce(pg_get_userbyid(nullif(r, 0)), 'public'), ',' "
    "ORDER BY pg_get_userbyid(nullif(r, 0))) FROM unnest(p.polroles) AS r), pg_get_expr(p.polqual, p.polrelid), '/', "
    "pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid "
    "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE " + SCHEMAS + " AND " + mine("pg_class", "c.oid"),
    "type": "SELECT format_type(t.oid, NULL), CASE t.typtype "
    "WHEN 'e' THEN 'enum ' || coalesce((SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) "
    "FROM pg_enum AS e WHERE e.enumtypid = t.oid), '') "
    "WHEN 'd' THEN concat_ws(' ', 'domain', format_type(t.typbasetype, t.typtypmod), "
    "CASE WHEN t.typnotnull THEN 'not null' END, t.typdefault, (SELECT 'collate ' || "
    "t.typcollation::regcollation::text "
    "FROM pg_type AS b WHERE b.oid = t.typbasetype AND b.typcollation <> t.typcollation), (SELECT "
    "string_agg(quote_ident(k.conname) || ' ' || "
    "pg_get_constraintdef(k.oid), ', ' ORDER BY k.conname) FROM pg_constraint AS k "
    "WHERE k.contypid = t.oid AND k.contype = 'c')) "
    "WHEN 'c' THEN 'composite ' || coalesce((SELECT string_agg(quote_ident(a.attname) || ' ' || "
    "format_type(a.atttypid, a.atttypmod) || ' ' || a.attcollation::regcollation::text, ', ' ORDER BY a.attnum) "
    "FROM pg_attribute AS a "
    "WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') "
    "WHEN 'r' THEN 'range ' || (SELECT concat_ws(' ', format_type(g.rngsubtype, NULL), g.rngcollation::regcollation, "
    "(pg_identify_object('pg_opclass'::regclass, g.rngsubopc, 0)).identity, g.rngcanonical, g.rngsubdiff, "
    "(to_jsonb(g) ->> 'rngmultitypid')::regtype) FROM pg_range AS g WHERE g.rngtypid = t.oid) "
    "WHEN 'p' THEN 'shell' ELSE concat_ws(' ', 'base', t.typlen, t.typinput, t.typoutput, t.typreceive, t.typsend, "
    "t.typdelim, t.typalign, t.typstorage, t.typcategory, t.typdefault) END FROM pg_type AS t JOIN pg_namespace AS n "
    "ON n.oid = t.typnamespace "
    "LEFT JOIN pg_class AS c ON c.oid = t.typrelid WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' "
    "AND c.relkind = 'c' OR t.typtype = 'b' AND t.typelem = 0 OR NOT t.typisdefined) AND " + SCHEMAS + " AND "
    + mine("pg_type", "t.oid"),
}  # fmt: skip
