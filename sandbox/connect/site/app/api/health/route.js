// Liveness: says that the process answers, and nothing about what it needs.
exports.GET = async () => ({ status: 200, body: { status: "ok", service: process.env.HOSTNAME } });
