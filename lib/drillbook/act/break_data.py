"""Breakages of the database: not there, empty, without its schema, or with another one."""

from __future__ import annotations

from drillbook.act.release import APPS
from drillbook.act.seed import remove_data
from drillbook.act.services import compose, psql, wait_healthy
from drillbook.act.site import Site
from drillbook.observe.command import run_checked

TRUNCATE = """do $$ begin execute (
  select format('truncate %s cascade', string_agg(format('%I.%I', schemaname, tablename), ', '))
  from pg_tables where schemaname = 'public'); end $$"""


def lost_schema(site: Site) -> None:
    """What `docker compose down -v` loses: the three volumes, and with them tables, rows and queue."""
    remove_data(site)
    compose(site, "up", "-d", "--no-build")
    compose(site, "restart", "--timeout", "5", *APPS, "scraper")
    wait_healthy(site.project)


def schema_missing(site: Site) -> None:
    """The database is there with its role, and its tables are gone."""
    _sql(site, "drop schema public cascade; create schema public")


def schema_drift(site: Site) -> None:
    """Someone renamed a column by hand: every table is there, and the code asks for what is not."""
    _sql(site, "alter table organizations rename column slug to handle")


def database_down(site: Site) -> None:
    """The database's container was stopped."""
    compose(site, "stop", "postgres")


def database_empty(site: Site) -> None:
    """Every table is there, and none has a row."""
    _sql(site, TRUNCATE)


def _sql(site: Site, statements: str) -> None:
    run_checked((*psql(site), "-q", "-v", "ON_ERROR_STOP=1", "-c", statements), timeout=60)
