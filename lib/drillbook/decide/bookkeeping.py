"""Tables that a migration tool keeps for itself: rows in them are no data, and no schema file names them."""

from __future__ import annotations

TOOLS = {
    "alembic": ("alembic_version",), "atlas": ("atlas_schema_revisions",), "diesel": ("__diesel_schema_migrations",),
    "django": ("django_migrations",), "drizzle": ("__drizzle_migrations",), "ef": ("__EFMigrationsHistory",),
    "flyway": ("flyway_schema_history", "schema_version"), "goose": ("goose_db_version",),
    "knex": ("knex_migrations", "knex_migrations_lock"), "kysely": ("kysely_migration", "kysely_migration_lock"),
    "liquibase": ("databasechangelog", "databasechangeloglock"), "mikro-orm": ("mikro_orm_migrations",),
    "node-pg-migrate": ("pgmigrations",), "prisma": ("_prisma_migrations",),
    "rails": ("schema_migrations", "ar_internal_metadata"), "refinery": ("refinery_schema_history",),
    "sequelize": ("SequelizeMeta",), "sqlx": ("_sqlx_migrations",), "typeorm": ("migrations", "typeorm_metadata"),
    "yoyo": ("_yoyo_log", "_yoyo_migration", "_yoyo_version", "yoyo_lock"),
}  # fmt: skip
TABLES = frozenset(name for names in TOOLS.values() for name in names)


def is_bookkeeping(table: str) -> bool:
    """Whether *table* (`schema.table`) is a migration tool's own."""
    return table.partition(".")[2] in TABLES
