const { createServer } = require("node:http");
const manifest = require("@/manifest");

const routes = {
  "/api/health": require("@/app/api/health/route").GET,
  "/api/matches/generate": require("@/app/api/matches/generate/route").GET,
  "/__build": async () => {
    const { build_id, source_digest } = manifest;
    return { status: 200, body: { build_id, source_digest, service: process.env.HOSTNAME } };
  },
};

async function answer(request) {
  const url = new URL(request.url, "http://app");
  const route = routes[url.pathname];
  if (!route) return { status: 404, body: { error: "Not found" } };
  try {
    return await route(url);
  } catch (error) {
    console.error(`${request.method} ${url.pathname} 500\n${error.stack}`);
    return { status: 500, body: { error: `${error.name}: ${error.message}` } };
  }
}

const server = createServer(async (request, response) => {
  const { status, body } = await answer(request);
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body) + "\n");
});

server.listen(3000, "0.0.0.0", () => {
  // Root was needed only to read the database's password.
  if (process.getuid() === 0) {
    process.setgroups([]);
    process.setgid("node");
    process.setuid("node");
  }
  console.log(`build ${manifest.build_id} listens on 3000`);
});

process.on("SIGTERM", () => server.close(() => process.exit(0)));
