/** After `bun test --coverage --coverage-reporter=lcov`: are all source files in the report, and enough of their lines? */
import { join } from "node:path";
import { Glob } from "bun";
import { missingForPostgres } from "./services/postgres-binaries.ts";

const MIN_PERCENT = 95;
/**
 * Where a thread, a child or the process begins: `bun test --coverage` does not see into those (bun#43275, #17867).
 * They are thin shells; what they run is tested in this process. A priority is set in a child alone, where a test reads it.
 */
const ENTRY_SHELLS = new Set([
  "src/main.ts",
  "src/adapters/blobs/segments/eraser-worker.ts",
  "src/adapters/catalog/sqlite/reader-worker.ts",
  "src/adapters/catalog/sqlite/snapshot-worker.ts",
  "src/adapters/catalog/sqlite/writer-worker.ts",
  "src/adapters/renderer/child-main.ts",
  "src/adapters/renderer/priority.ts",
]);

/** What this machine cannot run is not held against it; in CI its tests would have failed (postgres-server.ts). */
const UNTESTED =
  process.env["IMAGE_STORE_TEST_POSTGRES"] === undefined && missingForPostgres() !== undefined
    ? /^src\/adapters\/catalog\/(migrations\/)?postgres/
    : undefined;

const root = join(import.meta.dir, "..");
const report = Bun.file(join(root, "coverage/lcov.info"));
if (!(await report.exists())) fail("there is no coverage/lcov.info");

const lines = new Map<string, { found: number; hit: number }>();
for (const record of (await report.text()).split("end_of_record")) {
  const [, path] = /^SF:(.+)$/m.exec(record) ?? [];
  const number = (key: string) => Number(new RegExp(`^${key}:(\\d+)$`, "m").exec(record)?.[1]);
  if (path?.startsWith("src/") && !UNTESTED?.test(path)) lines.set(path, { found: number("LF"), hit: number("LH") });
}

/** A file of nothing but types leaves no code to run. */
async function hasCode(path: string): Promise<boolean> {
  const source = await Bun.file(join(root, path)).text();
  return new Bun.Transpiler({ loader: "ts" }).transformSync(source).trim() !== "";
}

const paths = [...new Glob("src/**/*.ts").scanSync({ cwd: root })]
  .filter((path) => !ENTRY_SHELLS.has(path) && !UNTESTED?.test(path))
  .sort();
const expected = (await Promise.all(paths.map(async (path) => ((await hasCode(path)) ? [path] : [])))).flat();
const missing = expected.filter((path) => !lines.has(path));
const sum = (key: "found" | "hit") => [...lines.values()].reduce((total, file) => total + file[key], 0);
const percentOf = ({ found, hit }: { found: number; hit: number }) => (found === 0 ? 100 : (100 * hit) / found);
const total = percentOf({ found: sum("found"), hit: sum("hit") });

for (const [path, file] of [...lines].sort(([, a], [, b]) => percentOf(a) - percentOf(b))) {
  if (percentOf(file) < MIN_PERCENT) console.log(`${percentOf(file).toFixed(1).padStart(5)} %  ${path}`);
}
console.log(`${total.toFixed(2)} % of ${sum("found")} lines in ${lines.size} files, at least ${MIN_PERCENT} % wanted`);
if (missing.length > 0) fail(`no test loads ${missing.join(", ")}`);
if (!(total >= MIN_PERCENT)) fail("too few lines are tested");

function fail(reason: string): never {
  console.error(`coverage: ${reason}`);
  process.exit(1);
}
