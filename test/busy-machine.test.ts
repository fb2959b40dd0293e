import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import packageJson from "../package.json" with { type: "json" };

/** What makes a test fail on a machine that is busy with other work, and what to write instead. */
interface Rule {
  readonly pattern: RegExp;
  readonly instead: string;
  readonly planted: string;
  readonly paths: readonly string[];
}

const root = import.meta.dir;
const everyPath = [...new Glob("**/*.ts").scanSync({ cwd: root })].filter((path) => path !== "busy-machine.test.ts");
/** The suites of services, faults and clients have limits of their own. */
const paths = everyPath.filter((path) => !/^(services|faults|clients)\//.test(path));

const LIMIT = Number(/--timeout (\d+)/.exec(packageJson.scripts.test)?.[1]);

/** What is below it is no limit of a test, but the pause of a timer. */
const SHORTEST = 1000;

const RULES: readonly Rule[] = [
  {
    // In the place of a test's limit: the last argument of a call that began with a function.
    pattern: /^\s*\}, (\d[\d_]*)\);$|^\s*\},\n\s*(\d[\d_]*),\n\s*\);$/gm,
    instead: "the suite's own limit (package.json): a test may only have a longer one",
    planted: 'test("x", async () => {\n}, 60_000);\n',
    paths,
  },
  {
    pattern: /^\s*expect\(.*\)\.(rejects|resolves)\./gm,
    instead: "rejectionOf of waiting.ts: what is not awaited is checked when another test runs, or never",
    planted: '    expect(work()).rejects.toThrow("x");\n',
    paths,
  },
  {
    pattern: /^.*new Database\((?!":memory:").*$/gm,
    instead: "openDatabaseFile of open-database-file.ts: a running store holds locks for longer on a busy machine",
    planted: '    using db = new Database(join(store.dataFolder, "catalog.sqlite"));\n',
    paths: everyPath.filter((path) => path !== "open-database-file.ts"),
  },
];

function findings(text: string, { pattern }: Rule): readonly string[] {
  return [...text.matchAll(pattern)].flatMap(([found, ...limits]) => {
    const limit = limits.map((digits) => Number(digits?.replaceAll("_", ""))).find((number) => number >= 0);
    return limit !== undefined && (limit < SHORTEST || limit >= LIMIT) ? [] : [found.trim()];
  });
}

test.each(RULES)("no test depends on the speed of the machine: $instead", (rule) => {
  expect(rule.paths.length).toBeGreaterThan(50);
  expect(LIMIT).toBeGreaterThanOrEqual(300_000);
  expect(findings(rule.planted, rule)).toHaveLength(1);
  const found = rule.paths.flatMap((path) =>
    findings(readFileSync(join(root, path), "utf8"), rule).map((text) => `${path}: ${text}`),
  );
  expect(found).toEqual([]);
});
