// An incremental bundler: server.js and everything in lib/ and app/ become chunks in .next/.
// Like make, it trusts times: where .next/build-manifest.json is newer than every source, nothing is done.
// .next/build-manifest.json: build_id; sources, path → sha256; source_digest, the sha256 of the sorted
// lines "<sha256>  <path>\n" of those sources, so that it can be made with sha256sum, too.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";

const OUT = ".next";
const MANIFEST = `${OUT}/build-manifest.json`;

const sha256 = (content) => createHash("sha256").update(content).digest("hex");

const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

function below(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? below(path) : path.endsWith(".js") ? [path] : [];
  });
}

function chunk(path) {
  const name = `${OUT}/chunks/${path.replaceAll("/", "-")}`;
  const wrapped = `module.exports = function (module, exports, require) {\n${readFileSync(path, "utf8")}\n};\n`;
  if (modified(name) <= modified(path)) writeFileSync(name, wrapped);
  return name;
}

// The entry: a registry of chunks; "@/lib/db" means lib/db.js, as in Next.js.
const RUNTIME = `const manifest = require("./build-manifest.json");
const loaded = {};
function load(path) {
  if (!loaded[path]) {
    const module = (loaded[path] = { exports: {} });
    require("./chunks/" + path.replaceAll("/", "-"))(module, module.exports, resolve);
  }
  return loaded[path].exports;
}
function resolve(name) {
  if (name === "@/manifest") return manifest;
  return name.startsWith("@/") ? load(name.slice(2) + ".js") : require(name);
}
load("server.js");
`;

function build(sources) {
  mkdirSync(`${OUT}/chunks`, { recursive: true });
  sources.forEach(chunk);
  const digests = Object.fromEntries(sources.map((path) => [path, sha256(readFileSync(path))]));
  const lines = sources.map((path) => `${digests[path]}  ${path}\n`).sort();
  writeFileSync(`${OUT}/server.js`, RUNTIME);
  const manifest = { build_id: process.env.BUILD_ID ?? "unset", source_digest: sha256(lines.join("")), sources: digests };
  writeFileSync(MANIFEST, JSON.stringify(manifest, null, 2) + "\n");
  console.log(`built ${sources.length} sources, build ${manifest.build_id}`);
}

const sources = ["server.js", ...below("lib"), ...below("app")].sort();
if (sources.every((path) => modified(path) < modified(MANIFEST))) console.log(`${OUT} is up to date`);
else build(sources);
