// Reads the funding programs, tells the cache that it lives, and moves the jobs that are due. Jobs that are not stay.
const { readFileSync, writeFileSync } = require("node:fs");
const { connect } = require("node:net");
const { Client } = require("pg");

const EVERY_MS = 5000;

// One command over RESP; enough for one-line and integer answers.
function redis(host, ...words) {
  const text = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`).join("");
  return new Promise((resolve, reject) => {
    const socket = connect(6379, host, () => socket.write(`*${words.length}\r\n${text}`));
    socket.setTimeout(3000, () => socket.destroy(new Error(`${host} does not answer`)));
    socket.on("error", reject);
    socket.once("data", (data) => {
      socket.end();
      const line = data.toString();
      if (line.startsWith("-")) reject(new Error(line.trim()));
      else resolve(line.slice(1).trim());
    });
  });
}

const MOVE_DUE = `local due = redis.call('ZRANGEBYSCORE', KEYS[1], 0, ARGV[1])
for _, job in ipairs(due) do redis.call('ZREM', KEYS[1], job) redis.call('LPUSH', KEYS[2], job) end
return #due`;

async function programs() {
  const client = new Client({ password: readFileSync(process.env.PASSWORD_FILE, "utf8").trim(), connectionTimeoutMillis: 3000 });
  client.on("error", (error) => console.error(error.message));
  try {
    await client.connect();
    return (await client.query("select count(*)::int as n from funding_programs")).rows[0].n;
  } finally {
    await client.end().catch(() => {});
  }
}

async function tell(what) {
  try {
    return await what();
  } catch (error) {
    console.error(`${error.name}: ${error.message}`);
    return null;
  }
}

async function turn() {
  const found = await tell(programs);
  const moved = await tell(() => redis("redis-queue", "EVAL", MOVE_DUE, 2, "jobs:delayed", "jobs:ready", Date.now()));
  const beat = JSON.stringify({ at: new Date().toISOString(), programs: found, moved: Number(moved ?? 0) });
  await tell(() => redis("redis-cache", "SET", "scraper:heartbeat", beat));
  writeFileSync("/tmp/heartbeat", beat);
  setTimeout(turn, EVERY_MS);
}

process.on("SIGTERM", () => process.exit(0));
turn();
