"""What a redis holds: its persistent keys and one digest over them, read by a script that writes nothing.

Keys with an expiry are left out: they may die between a backup and its drill.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from drillbook.errors import RunbookError
from drillbook.observe import engine
from drillbook.observe.volumes import declared_volumes
from drillbook.target import Target, secret

CONFIG = ("dir", "dbfilename", "appendonly", "appendfilename", "appenddirname")
ASKED = 3

SCRIPT = """
local function part(s) return string.len(s) .. ':' .. s end
local function all(list)
  local out = {}
  for i, v in ipairs(list) do out[i] = part(tostring(v)) end
  return table.concat(out)
end
local function paired(list)
  local rows = {}
  for i = 1, #list, 2 do rows[#rows + 1] = part(list[i]) .. part(list[i + 1]) end
  table.sort(rows)
  return table.concat(rows)
end
local function flat(value)
  if type(value) ~= 'table' then return part(tostring(value)) end
  local out = {}
  for i, v in ipairs(value) do out[i] = flat(v) end
  return '[' .. table.concat(out) .. ']'
end
local function value(key, kind)
  if kind == 'string' then return part(redis.call('GET', key)) end
  if kind == 'list' then return all(redis.call('LRANGE', key, 0, -1)) end
  if kind == 'hash' then return paired(redis.call('HGETALL', key)) end
  if kind == 'zset' then return paired(redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')) end
  if kind == 'stream' then return flat(redis.call('XRANGE', key, '-', '+')) end
  if kind == 'set' then
    local members = redis.call('SMEMBERS', key)
    table.sort(members)
    return all(members)
  end
  return part(redis.call('DUMP', key))
end
local keys = redis.call('KEYS', '*')
table.sort(keys)
local digest, count = '', 0
for _, key in ipairs(keys) do
  if redis.call('PTTL', key) == -1 then
    local kind = redis.call('TYPE', key)['ok']
    digest = redis.sha1hex(digest .. part(key) .. kind .. redis.sha1hex(value(key, kind)))
    count = count + 1
  end
end
return count .. ' ' .. digest
"""


@dataclass(frozen=True)
class RedisContent:
    """Persistent keys over all its databases, and their digest."""

    keys: int
    digest: str


def digests(target: Target) -> dict[str, tuple[int, str]]:
    """volume name → (keys, digest) of every redis volume of the target. Changes nothing.

    Raises:
        RunbookError: a redis is not running or does not answer.
    """
    found = {}
    for volume in declared_volumes(target):
        if volume.kind == "redis":
            seen = content(engine.client(target), volume.container_id, password_of(target, volume.key))
            found[volume.name] = (seen.keys, seen.digest)
    return found


def password_of(target: Target, key: str) -> str:
    """The password of the redis that owns the volume *key*; empty for none."""
    declared = target.volumes.get(key)
    return secret(declared.password, target) if declared else ""


def content(client: Any, container: str, password: str, command: str = "EVAL") -> RedisContent:
    """The keys and digest of the redis in *container*, over its databases in order.

    While writers are paused only `EVAL_RO` (redis 7) gets through.

    Raises:
        RunbookError: it does not answer.
    """
    keys, whole = 0, hashlib.sha1(usedforsecurity=False)
    for line in cli(client, container, password, "INFO", "keyspace").splitlines():
        if not line.startswith("db"):
            continue
        number = line[2:].split(":")[0]
        count, _, digest = cli(client, container, password, "-n", number, command, SCRIPT, "0").strip().partition(" ")
        if not count.isdigit():
            fact = f"redis in {container[:12]} does not run the digest's script: {count} {digest}"
            raise RunbookError(fact, f"docker logs {container[:12]} says more")
        keys += int(count)
        if int(count):
            whole.update(f"{number}:{digest}\n".encode())
    return RedisContent(keys, whole.hexdigest())


def config(client: Any, container: str, password: str) -> dict[str, str]:
    """How it keeps its data on disk: `dir`, file names, whether it appends. Empty where CONFIG is not allowed."""
    found = {}
    for name in CONFIG:
        lines = cli(client, container, password, "CONFIG", "GET", name).splitlines()
        if len(lines) >= 2 and lines[0] == name:
            found[name] = lines[1]
    return found


def cli(client: Any, container: str, password: str, *words: str) -> str:
    """What redis-cli inside *container* answers, never nothing; the password goes by its environment.

    It ends each answer with a newline, so nothing at all is an answer that the engine lost
    (https://github.com/moby/moby/issues/27289), and is no redis without keys: it is asked again.
    *words* must be such that asking twice does no harm.

    Raises:
        RunbookError: it ended with another code than 0, or answered with an error, or its answers were lost.
    """
    for _ in range(ASKED):
        if answer := _answer(client, container, password, words):
            return answer
    fact = f"the engine lost {ASKED} answers of redis in {container[:12]} to {words[0]}"
    raise RunbookError(fact, f"run this again when docker exec {container[:12]} echo yes prints yes each time")


def _answer(client: Any, container: str, password: str, words: Sequence[str]) -> str:
    import docker

    environment = {"REDISCLI_AUTH": password} if password else {}
    try:
        argv = ["redis-cli", "--no-auth-warning", *words]
        made = client.api.exec_create(container, argv, environment=environment)
        answer = client.api.exec_start(made["Id"]).decode(errors="replace")
        code = client.api.exec_inspect(made["Id"])["ExitCode"]
    except docker.errors.APIError as error:
        fact = f"redis in {container[:12]} cannot be asked: {error.explanation}"
        raise RunbookError(fact, "start its container, then run this again") from error
    if code != 0:
        fact = f"redis in {container[:12]} answered {words[0]} with: {answer.strip()[-300:]}"
        raise RunbookError(fact, f"docker logs {container[:12]} says more")
    return str(answer)
