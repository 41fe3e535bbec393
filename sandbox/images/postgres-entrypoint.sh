#!/bin/bash
# The official image's conventions, for Debian's PostgreSQL: POSTGRES_USER, _PASSWORD, _DB (each also as _FILE),
# POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD, /docker-entrypoint-initdb.d with .sh, .sql and .sql.gz.
set -Eeuo pipefail

# from_file NAME DEFAULT: NAME from itself, else from the file that NAME_FILE names, else DEFAULT.
from_file() {
    local name=$1 file="${1}_FILE"
    if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
        echo >&2 "error: both $name and $file are set"
        exit 1
    fi
    local value="${!name:-${2:-}}"
    if [ -n "${!file:-}" ]; then
        value=$(< "${!file}")
    fi
    export "$name"="$value"
    unset "$file"
}

sql() { psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER" "$@"; }

init_scripts() {
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
            *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
            *.sql) sql --dbname "$POSTGRES_DB" -f "$script" ;;
            *.sql.gz) gunzip -c "$script" | sql --dbname "$POSTGRES_DB" ;;
        esac
    done
}

init_cluster() {
    local method="${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}"
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$method" != trust ]; then
        echo >&2 "error: POSTGRES_PASSWORD is not set, and POSTGRES_HOST_AUTH_METHOD is not trust"
        exit 1
    fi
    eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD")' \
        '--auth-local=trust --auth-host=trust' "${POSTGRES_INITDB_ARGS:-}"
    printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
    # No TCP while initialising: whoever waits for the server must not meet this one.
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -p 5432" start
    if [ "$POSTGRES_DB" != postgres ]; then
        sql --dbname postgres -v db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
    fi
    init_scripts
    pg_ctl -D "$PGDATA" -m fast -w stop
    echo "PostgreSQL init process complete; ready for start up."
}

if [ "${1:0:1}" = - ]; then
    set -- postgres "$@"
fi
if [ "$1" != postgres ]; then
    exec "$@"
fi
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    chmod 0700 "$PGDATA"
    from_file POSTGRES_PASSWORD # a secret's file may be readable by root alone
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH_SOURCE" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    from_file POSTGRES_PASSWORD
    from_file POSTGRES_USER postgres
    from_file POSTGRES_DB "$POSTGRES_USER"
    from_file POSTGRES_INITDB_ARGS
    init_cluster
fi
unset POSTGRES_PASSWORD
exec "$@"
