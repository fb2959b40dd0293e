import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { startStore } from "../../test/http/harness.ts";
import { run } from "../../test/services/run.ts";

const CLIENT = join(import.meta.dir, "..");
const TSC = join(CLIENT, "../node_modules/.bin/tsc");
/** In bytes, gzipped. */
const MAX_BUNDLE = 5 * 1024;

const readme = await Bun.file(join(CLIENT, "README.md")).text();
/** The README's first program, and its other ones behind it, as a stranger would paste them. */
const [program = "", ...others] = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code);

describe("the package", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "image-store-client-"));
    // A copy, so that a run leaves nothing behind and sees no other's files.
    const copy = join(folder, "client");
    await cp(CLIENT, copy, { recursive: true, filter: (path) => !/\/(dist|test)$/.test(path) });
    await cp(join(CLIENT, "../tsconfig.json"), join(folder, "tsconfig.json"));
    await run([TSC, "-p", copy]);
    const [packed] = JSON.parse(
      await run(["npm", "pack", "--json", "--ignore-scripts", "--pack-destination", folder], { cwd: copy }),
    ) as [{ filename: string; files: { path: string }[] }];
    expect(packed.files.map(({ path }) => path)).toEqual(expect.arrayContaining(["README.md", "dist/index.js"]));
    expect(packed.files.every(({ path }) => /^(dist\/|README\.md$|package\.json$)/.test(path))).toBe(true);
    await Bun.write(join(folder, "app/package.json"), JSON.stringify({ type: "module" }));
    await run(["npm", "install", "--no-audit", "--no-fund", "--offline", join(folder, packed.filename)], {
      cwd: join(folder, "app"),
    });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("has the README's programs compile strictly, with the types of its own files checked", async () => {
    const app = join(folder, "app");
    await Bun.write(
      join(app, "main.ts"),
      `${program}\n${others.join("\n")}\nconsole.log(page.items.length satisfies number);\n`,
    );
    // Instead of all of Node's types.
    const ambient = 'declare module "node:fs" { export function openAsBlob(path: string): Promise<Blob>; }\n';
    await Bun.write(join(app, "ambient.d.ts"), ambient);
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: "es2022",
      module: "nodenext",
      lib: ["es2023", "dom", "dom.iterable", "dom.asynciterable"],
      types: [],
    };
    const config = { compilerOptions, files: ["ambient.d.ts", "main.ts"] };
    await Bun.write(join(app, "tsconfig.json"), JSON.stringify(config));
    await run([TSC, "-p", app]);
  });

  test.each(["node", process.execPath])("runs the README's first minute under %s", async (runtime) => {
    await using store = await startStore();
    const app = join(folder, "app");
    await cp(join(CLIENT, "../docs/dusk.jpg"), join(app, "lake.jpg"));
    // Plain JavaScript as it stands.
    await Bun.write(join(app, "first-minute.mjs"), program.replaceAll("http://127.0.0.1:8080", store.url));
    const lines = (await run([runtime, "first-minute.mjs"], { cwd: app })).trim().split("\n");
    expect(lines[0]).toMatch(new RegExp(`^${store.url}/v1/images/.*\\?format=auto&w=640$`));
    expect(lines).toContain("lake.jpg 960 640");
    expect(lines.filter((line) => line.startsWith("imagestore."))).toHaveLength(2);
    expect(lines.at(-1)).toMatch(/^404 album_not_found \S+$/);
  });

  test("is small", async () => {
    const built = await Bun.build({ entrypoints: [join(CLIENT, "src/index.ts")], minify: true, target: "browser" });
    const bytes = gzipSync(await (built.outputs[0] as Blob).arrayBuffer(), { level: 9 }).byteLength;
    expect(bytes).toBeGreaterThan(1000);
    expect(bytes).toBeLessThanOrEqual(MAX_BUNDLE);
  });
});
