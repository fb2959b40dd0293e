import { describe, expect, test } from "bun:test";
import { dirname, join, normalize } from "node:path";
import { Glob } from "bun";

const root = join(import.meta.dir, "..");
const MAX_LINES = 350;

/**
 * Who may import whom: each module its own folder and what stands here. `node:` and packages only where said. What
 * adapters have in common on the disk is in adapters/files.
 */
const RULES: Readonly<Record<string, { modules: readonly string[]; node: boolean; packages: boolean }>> = {
  domain: { modules: [], node: false, packages: false },
  ports: { modules: ["domain"], node: false, packages: false },
  concurrency: { modules: ["domain"], node: true, packages: false },
  operations: { modules: ["domain", "ports", "concurrency"], node: true, packages: false },
  workers: { modules: ["domain", "ports", "concurrency"], node: true, packages: false },
  "adapters/*": {
    modules: ["domain", "ports", "concurrency", "adapters/files", "adapters/disk-cache"],
    node: true,
    packages: true,
  },
  http: { modules: ["operations", "domain", "ports", "concurrency"], node: true, packages: true },
  observe: { modules: ["ports", "domain"], node: true, packages: true },
  config: { modules: ["domain"], node: true, packages: false },
};
/** These wire the others together. */
const FREE = new Set(["cli", "app", "background", "main", "renderers", "stores", "tokens", "version", "webhooks"]);

/** `http` for src/http/routes/albums.ts, `ports` for src/ports.ts, `adapters/blobs` for what lies in there. */
function moduleOf(path: string): string {
  const [, first = "", second = ""] = path.split("/");
  const name = first.replace(/\.ts$/, "");
  return name === "adapters" ? `adapters/${second}` : name;
}

/** Static, dynamic and type imports alike; `Bun.Transpiler` would leave the types out. */
function importsOf(source: string): string[] {
  const statements = source.matchAll(/^\s*(?:import|export)\b(?:[^"';]*?\bfrom)?\s*["']([^"']+)["']/gm);
  const calls = source.matchAll(/\bimport\(\s*["']([^"']+)["']/g);
  const urls = source.matchAll(/\bnew URL\(\s*["'](\.[^"']+)["'],\s*import\.meta\.url/g);
  return [...statements, ...calls, ...urls].map((match) => match[1] as string);
}

function violationsOf(path: string, source: string): string[] {
  const from = moduleOf(path);
  if (FREE.has(from)) return [];
  const rule = RULES[from.startsWith("adapters/") ? "adapters/*" : from];
  if (rule === undefined) return [`${path} is in no module that the table knows`];
  const allowed = (target: string): boolean => {
    if (target.startsWith("node:")) return rule.node;
    if (!target.startsWith(".")) return target === "bun" || target.startsWith("bun:") ? rule.node : rule.packages;
    const to = moduleOf(normalize(join(dirname(path), target)));
    return to === from || rule.modules.includes(to);
  };
  return importsOf(source)
    .filter((target) => !allowed(target))
    .map((target) => `${path} imports ${target}`);
}

const paths = [...new Glob("src/**/*.ts").scanSync({ cwd: root })].sort();
const sources = new Map(
  await Promise.all(paths.map(async (path) => [path, await Bun.file(join(root, path)).text()] as const)),
);

describe("imports", () => {
  test("follow the table of allowed modules", () => {
    expect([...sources].flatMap(([path, source]) => violationsOf(path, source))).toEqual([]);
  });

  test("are checked in every module", () => {
    const modules = new Set(paths.map(moduleOf).map((name) => (name.startsWith("adapters/") ? "adapters/*" : name)));
    expect([...modules].sort()).toEqual([...Object.keys(RULES), ...FREE].sort());
    expect([...sources.values()].flatMap(importsOf).length).toBeGreaterThan(paths.length);
  });

  test("include every import that the transpiler finds", () => {
    const transpiler = new Bun.Transpiler({ loader: "ts" });
    for (const [path, source] of sources)
      expect({ path, imports: importsOf(source) }).toEqual({
        path,
        imports: expect.arrayContaining(transpiler.scanImports(source.replace(/^#!.*/, "")).map((found) => found.path)),
      });
  });

  test.each([
    ["src/domain/album.ts", 'import type { Catalog } from "../ports.ts";'],
    ["src/domain/album.ts", 'import { readFileSync } from "node:fs";'],
    ["src/domain/album.ts", 'import { z } from "zod";'],
    ["src/ports.ts", 'export * from "./operations/albums.ts";'],
    ["src/concurrency/clock.ts", 'import type { Catalog } from "../ports.ts";'],
    ["src/operations/albums.ts", 'const { sqlite } = await import("../adapters/catalog/sqlite.ts");'],
    ["src/operations/albums.ts", 'import {\n  json,\n} from "../http/route.ts";'],
    ["src/workers/relay.ts", 'import { Kafka } from "@platformatic/kafka";'],
    ["src/workers/sweep.ts", 'import { listAlbums } from "../operations/albums.ts";'],
    ["src/adapters/blobs/disk.ts", 'import { openSqliteCatalog } from "../catalog/sqlite.ts";'],
    ["src/adapters/blobs/disk.ts", 'new Worker(new URL("../catalog/writer.ts", import.meta.url));'],
    ["src/adapters/files/file-reader.ts", 'import { openDiskBlobs } from "../blobs/disk.ts";'],
    ["src/http/server.ts", 'import { parseConfig } from "../config.ts";'],
    ["src/http/routes/albums.ts", "import { measure } from '../../observe/measure.ts';"],
    ["src/observe/metrics.ts", 'import { listAlbums } from "../operations/albums.ts";'],
    ["src/config/values.ts", 'import "../app.ts";'],
    ["src/config.ts", 'import { z } from "zod";'],
    ["src/utils/strings.ts", ""],
  ])("a planted violation in %s is found: %s", (path, source) => {
    expect(
      violationsOf(
        path,
        `import type { Album } from "${"../".repeat(path.split("/").length - 2) || "./"}domain/album.ts";\n${source}\n`,
      ),
    ).toHaveLength(1);
  });
});

test("the client imports nothing but its own files", async () => {
  const files = [...new Glob("client/src/*.ts").scanSync({ cwd: root })];
  const imports = await Promise.all(files.map(async (path) => importsOf(await Bun.file(join(root, path)).text())));
  expect(imports.flat().length).toBeGreaterThan(files.length);
  expect(imports.flat().filter((target) => !/^\.\/[\w-]+\.ts$/.test(target))).toEqual([]);
});

/** What the page must not import: the store's own code, and what no browser has. It has the public API by the client. */
const pageViolations = (path: string, source: string): string[] =>
  importsOf(source).filter((target) => {
    if (/^(?:node:|bun$|bun:)/.test(target)) return true;
    // ".." is where the store is, as the built script finds it.
    if (!target.startsWith(".") || target === "..") return false;
    const file = normalize(join(dirname(path), target));
    return !file.startsWith("web/") && file !== "client/src/index.ts";
  });

describe("the page", () => {
  test("imports its own files, packages and the client alone", async () => {
    const files = [...new Glob("web/**/*.{ts,tsx}").scanSync({ cwd: root })].filter((path) => path !== "web/build.ts");
    expect(files.length).toBeGreaterThan(0);
    for (const path of files)
      expect({ path, wrong: pageViolations(path, await Bun.file(join(root, path)).text()) }).toEqual({
        path,
        wrong: [],
      });
  });

  test.each(["node:fs", "bun", "../src/domain/album.ts", "../client/src/transport.ts"])(
    "a planted import of %s is found",
    (target) => {
      expect(pageViolations("web/main.tsx", `import { x } from "${target}";`)).toEqual([target]);
      expect(pageViolations("web/albums/grid.tsx", 'import { connect } from "../../client/src/index.ts";')).toEqual([]);
    },
  );
});

describe("clients of PostgreSQL, S3, Kafka and an issuer of tokens", () => {
  const transpiler = new Bun.Transpiler({ loader: "ts" });

  /** Packages that are loaded with the file, before anything asks for them. */
  function packagesOf(path: string, seen = new Set<string>()): Set<string> {
    const packages = new Set<string>();
    if (seen.has(path)) return packages;
    seen.add(path);
    for (const found of transpiler.scanImports((sources.get(path) ?? "").replace(/^#!.*/, ""))) {
      if (found.kind !== "import-statement") continue;
      if (!found.path.startsWith(".")) packages.add(found.path);
      else for (const name of packagesOf(normalize(join(dirname(path), found.path)), seen)) packages.add(name);
    }
    return packages;
  }

  test("are loaded only when a setting asks for them", () => {
    const clients = ["@aws-sdk/client-s3", "pg", "@platformatic/kafka", "jose"];
    const adapters = ["blobs/s3.ts", "catalog/postgres.ts", "publisher/kafka.ts", "tokens/jwt.ts"];
    const loaded = adapters.flatMap((path) => [...packagesOf(`src/adapters/${path}`)]);
    expect(loaded).toEqual(expect.arrayContaining(clients));
    for (const path of ["src/main.ts", "src/app.ts", "src/cli/serve.ts", "src/stores.ts"])
      expect([...packagesOf(path)].filter((name) => clients.includes(name))).toEqual([]);
    expect([...packagesOf("src/app.ts")]).toContain("@hono/zod-openapi");
  });

  test("are loaded by no command but an import from S3", () => {
    const commands = paths.filter((path) => path.startsWith("src/cli/"));
    const loading = commands.filter((path) => packagesOf(path).has("@aws-sdk/client-s3"));
    expect(loading).toEqual(["src/cli/remote/import-s3.ts"]);
  });
});

test(`no source file is over ${MAX_LINES} lines`, () => {
  const long = [...sources].filter(([, source]) => source.trimEnd().split("\n").length > MAX_LINES);
  expect(long.map(([path]) => path)).toEqual([]);
});

/** Operations that write by the port itself, whose type lets them forget who asks for a change. */
const writersOfPort = (files: ReadonlyMap<string, string>): readonly string[] =>
  [...files]
    .filter(([path, source]) => path.startsWith("src/operations/") && source.includes("catalog.write("))
    .filter(([, source]) => /import type \{[^}]*\bCatalog\b[^}]*\} from "\.\.\/ports\.ts"/.test(source))
    .map(([path]) => path);

test("operations write by RequestCatalog, so the compiler demands who asks for a change", () => {
  const planted = 'import type { Catalog } from "../ports.ts";\nawait catalog.write({ type: "deleteImage" });';
  expect(writersOfPort(new Map([["src/operations/x.ts", planted]]))).toEqual(["src/operations/x.ts"]);
  expect([...sources.values()].filter((source) => source.includes("RequestCatalog")).length).toBeGreaterThan(5);
  expect(writersOfPort(sources)).toEqual([]);
});

/** The names that the table gives for each term. */
function namesIn(page: string): readonly string[] {
  const glossary = page.split("\n## Glossary\n")[1]?.split("\n## ")[0] ?? "";
  const rows = [...glossary.matchAll(/^\| [^|]+ \| (`[^|]+`) \| [^|]+ \|$/gm)].map(([, names = ""]) => names);
  return rows.flatMap((names) => names.split(", ")).map((name) => name.replaceAll("`", ""));
}

/** Declared, or a member or a state of something declared. */
const isNamed = (name: string): boolean =>
  [...sources.values()].some((source) =>
    new RegExp(`(?:interface|type|function|const) ${name}\\b|^ +(?:readonly )?${name}\\??:|"${name}"`, "m").test(
      source,
    ),
  );

describe("the glossary of CONTRIBUTING.md", () => {
  test("gives names that the source has", async () => {
    const names = namesIn(await Bun.file(join(root, "CONTRIBUTING.md")).text());
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !isNamed(name))).toEqual([]);
    expect(isNamed("Remains")).toBe(false);
  });

  test("has every port", async () => {
    const names = namesIn(await Bun.file(join(root, "CONTRIBUTING.md")).text());
    const ports = [
      ...(sources.get("src/ports.ts") ?? "").matchAll(/^export interface (\w+) extends [\w<>, ]*AsyncDisposable/gm),
    ];
    expect(ports.length).toBeGreaterThan(4);
    expect(ports.map(([, port]) => port).filter((port) => port !== undefined && !names.includes(port))).toEqual([]);
  });
});

const MIN_LINES = 30;

/** Files that are short for a reason. */
const SHORT: Readonly<Record<string, string>> = {
  "src/adapters/blobs/segments/eraser-worker.ts": "a thread's entry",
  "src/adapters/catalog/changes/access-revision.ts": "shared by the changes of access",
  "src/adapters/catalog/sqlite/reader-worker.ts": "a thread's entry",
  "src/adapters/catalog/sqlite/snapshot-worker.ts": "a thread's entry",
  "src/adapters/catalog/sqlite/writer-worker.ts": "a thread's entry",
  "src/adapters/catalog/migrations/postgres-0002-filters.ts": "a migration, which never changes",
  "src/adapters/catalog/migrations/postgres-0004-checksums.ts": "a migration, which never changes",
  "src/adapters/catalog/migrations/sqlite-0004-filters.ts": "a migration, which never changes",
  "src/adapters/catalog/migrations/sqlite-0006-checksums.ts": "a migration, which never changes",
  "src/adapters/catalog/changes/link-key.ts": "one change per file",
  "src/adapters/catalog/driver.ts": "the interface of both database drivers",
  "src/adapters/catalog/sqlite/errors.ts": "the codes of SQLite, beside the driver",
  "src/adapters/catalog/sqlite/lock.ts": "the lock of a folder, which every opener takes",
  "src/adapters/blobs/s3/source-error.ts": "commands that do not load the S3 client know it",
  "src/adapters/blobs/s3/object-name.ts": "the names of objects, which readers and writers share",
  "src/adapters/outbound/failures.ts": "the codes of the runtime, beside the client",
  "src/adapters/renderer/description/taken-at.ts": "a time of EXIF, with tests of its own",
  "src/adapters/renderer/formats/codecs.ts": "the table of codecs",
  "src/cli/command.ts": "the type of a command, which the tables of commands share",
  "src/cli/remote/batches.ts": "shared by rm and sync",
  "src/cli/remote/get.ts": "one command per file",
  "src/cli/remote/login.ts": "one command per file",
  "src/cli/remote/send-file.ts": "shared by put and sync",
  "src/cli/remote/tail.ts": "one command per file",
  "src/cli/context.ts": "what every command takes",
  "src/concurrency/maybe-promise.ts": "shared by http, operations and the catalog",
  "src/config/setting.ts": "the type of a setting, which the tables of settings share",
  "src/domain/access.ts": "rights and keys, which config and http share",
  "src/domain/free-memory.ts": "shared by blob stores, files and http",
  "src/domain/key.ts": "a type of the domain",
  "src/domain/limits.ts": "shared by config, operations and http",
  "src/domain/link.ts": "a type of the domain",
  "src/domain/nearest.ts": "shared by cli, config and http",
  "src/domain/open-error.ts": "an error of the domain",
  "src/domain/owned-blobs.ts": "a port of both blob stores",
  "src/domain/wording.ts": "shared by config, cli and http",
  "src/http/null-beside-references.ts": "works around the OpenAPI library",
  "src/http/hosts.ts": "shared by admission and sessions",
  "src/http/parameters.ts": "reads the parameters of a path",
  "src/operations/cursors.ts": "the operations on one resource",
  "src/operations/request-catalog.ts": "a type that all operations share",
  "src/operations/fill-page.ts": "shared by the listings",
  "src/operations/idempotency.ts": "shared by all creating operations",
  "src/operations/require-album.ts": "shared by all operations on an album",
  "src/ports/access.ts": "a part of the catalog's port",
  "src/ports/token-verifier.ts": "a port",
  "src/ports/webhooks.ts": "a part of the catalog's port",
  "src/ports/webhook-sender.ts": "a port",
  "src/webhooks.ts": "connects what sends webhooks",
  "src/version.ts": "the version, read from package.json",
  "src/domain/session.ts": "both who signs in and the catalog use it",
  "src/adapters/catalog/changes/lock-maker.ts":
    "changes of keys and of shares use it, and those of keys use those of shares",
  "src/workers/compact.ts": "one worker per file",
};

test(`a source file under ${MIN_LINES} lines has a reason to stand alone`, () => {
  const short = [...sources].filter(([, source]) => source.trimEnd().split("\n").length < MIN_LINES);
  expect(short.map(([path]) => path).filter((path) => SHORT[path] === undefined)).toEqual([]);
});

test("test/contracts holds contracts only", async () => {
  const names = [...new Glob("*.ts").scanSync(join(root, "test/contracts"))];
  expect(names.length).toBeGreaterThan(10);
  const functions = names.map(async (name) => {
    const source = await Bun.file(join(root, "test/contracts", name)).text();
    return [...source.matchAll(/^export (?:(?:async )?function\*? (\w+)|const (\w+) = (?:async )?\()/gm)];
  });
  const exported = (await Promise.all(functions)).flat().map(([, name, constant]) => name ?? constant ?? "");
  expect(exported.length).toBeGreaterThan(10);
  expect(exported.filter((name) => !name.endsWith("Contract"))).toEqual([]);
});
