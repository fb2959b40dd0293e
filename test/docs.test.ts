import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { Glob } from "bun";
import { withAccessTable } from "../docs/access-routes.ts";
import { withCommandTable } from "../docs/cli-commands.ts";
import { configurationPage } from "../docs/configuration.ts";
import { routes } from "../src/app.ts";
import { COMMAND_NAMES } from "../src/cli/commands.ts";
import { PREFIX, SETTINGS } from "../src/config/settings.ts";
import { PROBLEMS } from "../src/http/problem.ts";

const root = join(import.meta.dir, "..");
const scan = (pattern: string) => [...new Glob(pattern).scanSync({ cwd: root, dot: true })].toSorted();
const read = (path: string) => readFileSync(join(root, path), "utf8");

const pages = [...scan("*.md"), ...scan("{docs,deploy}/**/*.md")];
const sources = scan("{src,test,bench,docs,deploy,bin,.ci}/**/*").filter((path) => !path.endsWith(".md"));

/** As GitHub makes them of headings. */
const anchorsOf = (page: string): ReadonlySet<string> =>
  new Set(
    [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );

/** Links that lead nowhere, of a page at `path`. */
function brokenLinks(path: string, page: string): readonly string[] {
  const links = [...page.matchAll(/\]\((?!https?:|mailto:)([^)\s]*)\)/g)].map(([, link = ""]) => link);
  return links.filter((link) => {
    const [file = "", anchor] = link.split("#", 2);
    const target = file === "" ? path : relative(root, join(root, dirname(path), file));
    if (!existsSync(join(root, target))) return true;
    return anchor !== undefined && !anchorsOf(target === path ? page : read(target)).has(anchor);
  });
}

/** Pages that a source names and that are not in this repository, whether by path or by name alone. */
function missingPages(path: string, source: string): readonly string[] {
  const names = [...source.matchAll(/(?<![\w/:.*])((?:[\w-]+\/)*[\w-]+\.md)\b/g)].map(([, name = ""]) => name);
  return names.filter(
    (name) => ![name, join(dirname(path), name), join("docs", basename(name))].some((at) => existsSync(join(root, at))),
  );
}

test("every relative link in the docs leads to an existing file and heading", () => {
  expect(pages.length).toBeGreaterThan(15);
  expect(
    brokenLinks("docs/links.md", "# A b\n[a](none.md) [b](#a-b) [c](#none) [d](events.md#kafka) [e](events.md#x)"),
  ).toEqual(["none.md", "#none", "events.md#x"]);
  expect(pages.flatMap((path) => brokenLinks(path, read(path)).map((link) => `${path}: ${link}`))).toEqual([]);
});

test("every page that code names exists", () => {
  expect(sources.length).toBeGreaterThan(300);
  expect(missingPages("src/x.ts", "// (docs/none.md), durability.md")).toEqual(["docs/none.md"]);
  const own = relative(root, import.meta.path);
  const named = sources.filter((path) => path !== own && !/\.(jpg|png|webp|gif|avif)$/.test(path));
  expect(named.flatMap((path) => missingPages(path, read(path)).map((name) => `${path}: ${name}`))).toEqual([]);
});

test("each decision has a number of its own, which its heading repeats", () => {
  const numbers = scan("docs/adr/*.md").map((path) => basename(path).slice(0, 4));
  expect(numbers).toEqual(numbers.map((_, index) => String(index + 1).padStart(4, "0")));
  const headings = scan("docs/adr/*.md").map((path) => /^# (\d+)\. /.exec(read(path))?.[1]?.padStart(4, "0"));
  expect(headings).toEqual(numbers);
});

test("pages with commands name the store in the same way", () => {
  const variables = pages.flatMap((path) =>
    [...read(path).matchAll(/\$\{?(STORE|IMAGE_STORE|BASE|URL|HOST|KEY|TOKEN)\b/g)].map(([text]) => `${path}: ${text}`),
  );
  expect(variables).toEqual([]);
});

test("docs/configuration.md is up to date with `npm run docs` and has every setting", () => {
  const page = read("docs/configuration.md");
  expect(page).toBe(configurationPage());
  const names = [...page.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
  expect(names).toEqual(Object.keys(SETTINGS).map((name) => PREFIX + name));
});

test("docs/cli.md is up to date with `npm run docs` and has every command", () => {
  const page = read("docs/cli.md");
  expect(page).toBe(withCommandTable(page));
  for (const name of COMMAND_NAMES) expect(page).toMatch(new RegExp(`^\\| \`${name}[ \`]`, "m"));
});

test("docs/access.md is up to date with `npm run docs` and has every route", () => {
  const page = read("docs/access.md");
  expect(page).toBe(withAccessTable(page));
  const named = ({ definition: { method, path } }: (typeof routes)[number]) =>
    page.includes(`| \`${method} ${path}\` |`);
  expect(routes.filter((route) => !named(route))).toEqual([]);
});

test("every error code in a page has the status that the store gives it", () => {
  const known = new Map<string, number>(Object.entries(PROBLEMS).map(([code, [status]]) => [code, status]));
  const named = pages.flatMap((path) =>
    [...read(path).matchAll(/\b([45]\d\d)\s`([a-z]+(?:_[a-z]+)*)`/g)].map(([, status, code = ""]) => ({
      path,
      code,
      status: Number(status),
    })),
  );
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter(({ code, status }) => known.get(code) !== status)).toEqual([]);
});

test("every log line that a page quotes is in the source", () => {
  const source = sources
    .filter((path) => path.startsWith("src/"))
    .map(read)
    .join("\n");
  const quoted = pages.flatMap((path) =>
    [...read(path).matchAll(/`((?!npm |docker )[a-z]+(?:[,:]?\s[a-z]+){2,})`/g)].map(([, text = ""]) => ({
      path,
      text: text.replaceAll(/\s+/g, " "),
    })),
  );
  expect(quoted.length).toBeGreaterThan(4);
  expect(quoted.filter(({ text }) => !source.includes(text))).toEqual([]);
});

test("troubleshooting.md explains every alert", () => {
  const alerts = [...read("deploy/alerts.yaml").matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  const section = read("docs/troubleshooting.md").split("\n## Alerts\n")[1] ?? "";
  const explained = [...section.matchAll(/`(ImageStore\w+)`/g)].map(([, name]) => name);
  expect(new Set(explained)).toEqual(new Set(alerts));
});

test("every source file that a page names or draws exists", () => {
  const named = pages.flatMap((path) => {
    const page = read(path);
    const spans = [...page.matchAll(/`((?:[\w-]+\/)+[\w-]+\.ts)`/g)];
    const hops = [...page.matchAll(/\["?((?:[a-z0-9-]+\/)+[a-z0-9-]+)<br>/g)];
    return [...spans, ...hops].map(([, name = ""]) => ({ path, name }));
  });
  const folders = [".", "src", "src/adapters", "src/adapters/catalog"];
  const exists = (name: string) =>
    folders.some((folder) => [name, `${name}.ts`].some((file) => existsSync(join(root, folder, file))));
  expect(named.length).toBeGreaterThan(30);
  expect(exists("operations/none.ts")).toBe(false);
  expect(named.filter(({ name }) => !exists(name))).toEqual([]);
});

test("pages and sources name who acts, and do not say nobody, someone or whoever", () => {
  const words = /\b(?:nobody|no one|somebody|someone|anybody|whoever)\b|so that none/i;
  expect("Nobody reads it.").toMatch(words);
  const paths = [...scan("src/**/*.ts"), "README.md", ...scan("docs/**/*.md")];
  expect(paths.length).toBeGreaterThan(100);
  const found = paths.flatMap((path) =>
    read(path)
      .split("\n")
      .flatMap((line) => (words.test(line) ? [`${path}: ${line.trim()}`] : [])),
  );
  // A few may stay where another wording would be worse.
  expect(found.length, found.join("\n")).toBeLessThan(10);
});
