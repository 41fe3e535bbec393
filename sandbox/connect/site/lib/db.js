// The database, model by model. Every model answers findUnique, findFirst and findMany.
const { readFileSync } = require("node:fs");
const { Pool } = require("pg");

const MODELS = ["organizations", "users", "funding_programs", "funding_matches"];

class KnownRequestError extends Error {
  constructor(message, code) {
    super(message);
    this.name = "PrismaClientKnownRequestError";
    this.code = code;
  }
}

const file = process.env.PASSWORD_FILE;
const password = file ? readFileSync(file, "utf8").trim() : undefined;
const pool = new Pool({ password, max: 5, connectionTimeoutMillis: 3000, idleTimeoutMillis: 10000 });
pool.on("error", (error) => console.error(`idle connection lost: ${error.message}`));

async function ask(table, verb, where, limit) {
  const names = Object.keys(where);
  const clause = names.map((name, i) => `"${name}" = $${i + 1}`).join(" and ") || "true";
  const sql = `select * from public."${table}" where ${clause} order by 1 limit ${limit}`;
  try {
    return (await pool.query(sql, Object.values(where))).rows;
  } catch (error) {
    if (error.code !== "42P01") throw error;
    const fact = `The table \`public.${table}\` does not exist in the current database.`;
    throw new KnownRequestError(`Invalid \`prisma.${table}.${verb}()\` invocation:\n\n${fact}`, "P2021");
  }
}

const model = (table) => ({
  findUnique: async ({ where }) => (await ask(table, "findUnique", where, 1))[0] ?? null,
  findFirst: async ({ where = {} } = {}) => (await ask(table, "findFirst", where, 1))[0] ?? null,
  findMany: async ({ where = {}, take = 100 } = {}) => ask(table, "findMany", where, take),
});

exports.db = Object.fromEntries(MODELS.map((table) => [table, model(table)]));
