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
  operations: { modules: ["domain", "ports"], node: true, packages: false },
  workers: { modules: ["domain", "ports"], node: true, packages: false },
  "adapters/*": { modules: ["domain", "ports", "adapters/files"], node: true, packages: true },
  http: { modules: ["operations", "domain", "ports"], node: true, packages: true },
  observe: { modules: ["ports", "domain"], node: true, packages: true },
  config: { modules: ["domain"], node: true, packages: false },
};
/** These wire the others together. */
const FREE = new Set(["cli", "app", "background", "main", "stores"]);

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
  test("keep to the table", () => {
    expect([...sources].flatMap(([path, source]) => violationsOf(path, source))).toEqual([]);
  });

  test("were looked at, in every module", () => {
    const modules = new Set(paths.map(moduleOf).map((name) => (name.startsWith("adapters/") ? "adapters/*" : name)));
    expect([...modules].sort()).toEqual([...Object.keys(RULES), ...FREE].sort());
    expect([...sources.values()].flatMap(importsOf).length).toBeGreaterThan(paths.length);
  });

  test("are all found: none that the transpiler sees is missed", () => {
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

describe("what only some stores need", () => {
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

  test("is loaded where a URL asks for it, and not at the start", () => {
    const clients = ["@aws-sdk/client-s3", "pg", "@platformatic/kafka"];
    const adapters = ["blobs/s3.ts", "catalog/postgres.ts", "publisher/kafka.ts"];
    const loaded = adapters.flatMap((path) => [...packagesOf(`src/adapters/${path}`)]);
    expect(loaded).toEqual(expect.arrayContaining(clients));
    for (const path of ["src/main.ts", "src/app.ts", "src/cli/serve.ts", "src/stores.ts"])
      expect([...packagesOf(path)].filter((name) => clients.includes(name))).toEqual([]);
    expect([...packagesOf("src/app.ts")]).toContain("hono");
  });
});

test(`no source file is over ${MAX_LINES} lines`, () => {
  const long = [...sources].filter(([, source]) => source.trimEnd().split("\n").length > MAX_LINES);
  expect(long.map(([path]) => path)).toEqual([]);
});
