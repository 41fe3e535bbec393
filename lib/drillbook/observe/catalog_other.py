"""The rarer kinds of objects, each by its catalog: what makes it what it is, as one line.

Options of servers and user mappings may hold secrets, so they are told by their hash.
"""

from __future__ import annotations

from typing import LiteralString

from drillbook.observe.catalog_sql import SCHEMAS, mine


def _owner(column: LiteralString) -> LiteralString:
    return "'owner ' || pg_get_userbyid(" + column + ")"


def _hashed(options: LiteralString) -> LiteralString:
    """One hash of *options*, in the order of their names, as a dump writes them."""
    return "(SELECT md5(string_agg(o, ',' ORDER BY o)) FROM unnest(" + options + ") AS o)"


CATALOGS: dict[LiteralString, LiteralString] = {
    "pg_collation": "x.collprovider, x.collisdeterministic, pg_encoding_to_char(x.collencoding), x.collcollate, "
    "x.collctype, to_jsonb(x) ->> 'colliculocale', to_jsonb(x) ->> 'colllocale', to_jsonb(x) ->> 'collicurules', "
    + _owner("x.collowner"),
    "pg_operator": "x.oprcode::regprocedure, x.oprcom::regoperator, x.oprnegate::regoperator, x.oprrest::regproc, "
    "x.oprjoin::regproc, x.oprcanmerge, x.oprcanhash, " + _owner("x.oprowner"),
    "pg_opclass": "(pg_identify_object('pg_opfamily'::regclass, x.opcfamily, 0)).identity, x.opcintype::regtype, "
    "x.opcdefault, x.opckeytype::regtype, " + _owner("x.opcowner"),
    "pg_opfamily": "(SELECT string_agg(concat_ws(' ', o.amopstrategy, o.amopopr::regoperator, o.amoppurpose), ', ' "
    "ORDER BY o.amopstrategy, o.amopopr::regoperator::text) FROM pg_amop AS o WHERE o.amopfamily = x.oid), "
    "(SELECT string_agg(concat_ws(' ', p.amprocnum, p.amproc::regprocedure), ', ' ORDER BY p.amprocnum, "
    "p.amproc::regprocedure::text) FROM pg_amproc AS p WHERE p.amprocfamily = x.oid), " + _owner("x.opfowner"),
    "pg_cast": "x.castfunc::regprocedure, x.castcontext, x.castmethod",
    "pg_conversion": "pg_encoding_to_char(x.conforencoding), pg_encoding_to_char(x.contoencoding), x.conproc::regproc, "
    "x.condefault, " + _owner("x.conowner"),
    "pg_ts_config": "(SELECT p.prsname FROM pg_ts_parser AS p WHERE p.oid = x.cfgparser), "
    "(SELECT string_agg(concat_ws(':', m.maptokentype, m.mapseqno, m.mapdict::regdictionary), ' ' "
    "ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map AS m WHERE m.mapcfg = x.oid), " + _owner("x.cfgowner"),
    "pg_ts_dict": "(SELECT t.tmplname FROM pg_ts_template AS t WHERE t.oid = x.dicttemplate), x.dictinitoption, "
    + _owner("x.dictowner"),
    "pg_foreign_server": "x.srvtype, x.srvversion, (SELECT w.fdwname FROM pg_foreign_data_wrapper AS w "
    "WHERE w.oid = x.srvfdw), " + _hashed("x.srvoptions"),
    "pg_foreign_data_wrapper": "x.fdwhandler::regproc, x.fdwvalidator::regproc, " + _hashed("x.fdwoptions"),
    "pg_language": "x.lanpltrusted, x.lanplcallfoid::regproc, x.laninline::regproc, x.lanvalidator::regproc",
    "pg_transform": "x.trffromsql::regprocedure, x.trftosql::regprocedure",
    "pg_am": "x.amtype, x.amhandler::regproc",
}  # fmt: skip


def other(catalog: LiteralString) -> LiteralString:
    """(kind, name, definition) of the objects in *catalog* that someone made."""
    return (
        "SELECT replace(i.type, ' ', '_'), i.identity, concat_ws(' ', " + CATALOGS[catalog] + ") FROM " + catalog
        + " AS x, LATERAL pg_identify_object('" + catalog + "'::regclass, x.oid, 0) AS i WHERE x.oid >= 16384 AND "
        + mine("pg_catalog." + catalog, "x.oid")
    )  # fmt: skip


OBJECTS: dict[str, LiteralString] = {
    "extension": "SELECT quote_ident(x.extname), 'in ' || n.nspname FROM pg_extension AS x "
    "JOIN pg_namespace AS n ON n.oid = x.extnamespace WHERE x.oid >= 16384",
    "statistics": "SELECT quote_ident(n.nspname) || '.' || quote_ident(s.stxname), "
    "concat_ws(' ', pg_get_statisticsobjdef(s.oid), nullif(to_jsonb(s) ->> 'stxstattarget', '-1'), "
    + _owner("s.stxowner") + ") FROM pg_statistic_ext AS s JOIN pg_namespace AS n ON n.oid = s.stxnamespace WHERE "
    + SCHEMAS,
    "comment": "SELECT i.type || ' ' || i.identity, o.description FROM pg_description AS o, LATERAL "
    "pg_identify_object(o.classoid, o.objoid, o.objsubid) AS i WHERE (o.objoid >= 16384 "
    "OR o.classoid = 'pg_namespace'::regclass AND o.objoid = to_regnamespace('public') "
    "AND o.description <> 'standard public schema') AND i.identity IS NOT NULL "
    "AND coalesce(i.schema, '') !~ '^pg_(toast|temp)' AND NOT EXISTS (SELECT FROM pg_depend AS d "
    "WHERE d.classid = o.classoid AND d.objid = o.objoid AND d.deptype = 'e')",
    "publication": "SELECT quote_ident(p.pubname), concat_ws(' ', to_jsonb(p) - '{oid,pubname,pubowner}'::text[], "
    "(SELECT string_agg(r.prrelid::regclass::text, ', ' ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel "
    "AS r WHERE r.prpubid = p.oid), (SELECT string_agg((to_jsonb(t) - 'pubname')::text, ', ' ORDER BY t.schemaname, "
    "t.tablename) FROM pg_publication_tables AS t WHERE t.pubname = p.pubname), " + _owner("p.pubowner")
    + ") FROM pg_publication AS p",
    "subscription": "SELECT quote_ident(s.subname), concat_ws(' ', s.subpublications, s.subslotname, s.subsynccommit, "
    + _owner("s.subowner") + ") FROM pg_subscription AS s JOIN pg_database AS b ON b.oid = s.subdbid "
    "WHERE b.datname = current_database()",
    "event_trigger": "SELECT quote_ident(e.evtname), concat_ws(' ', e.evtevent, e.evtfoid::regprocedure, e.evtenabled, "
    "e.evttags::text, " + _owner("e.evtowner") + ") FROM pg_event_trigger AS e WHERE "
    + mine("pg_event_trigger", "e.oid"),
    "user_mapping": "SELECT quote_ident(u.usename) || ' on ' || quote_ident(u.srvname), " + _hashed("u.umoptions")
    + " FROM pg_user_mappings AS u",
}  # fmt: skip
