import { join } from "node:path";
import { chromiumPath, hasChromium } from "../test/services/chromium.ts";
import { buildPage, PAGE_FOLDER } from "../web/build.ts";
import type { Benchmark, Context, Row } from "./frame.ts";
import { folderOfDrawings } from "./seed-drawings.ts";
import { type RunningStore, startStore } from "./store.ts";

/** Run by npx: with what it depends on, it is larger than everything else that the tests need. */
const LIGHTHOUSE = "lighthouse@13.5.0";
const COUNT = 500;
const CATEGORIES = { performance: "performance", accessibility: "accessibility", "best-practices": "best practices" };
type Category = keyof typeof CATEGORIES;
const SCREENS = { phone: [], desktop: ["--preset=desktop"] } as const;
const GOAL = 95;
const PATIENCE_MS = 180_000;
/** Lighthouse waits until the network is at rest, which the page's event stream never lets it be. */
const LOAD_MS = 15_000;

export const lighthouse: Benchmark = {
  name: "lighthouse",
  about: "what Lighthouse says of each view of the page, on the screens of a phone and a desktop",
  async run(context) {
    if (context.smoke) return [{ work: "Lighthouse", ours: undefined, note: "not run small: npx would fetch it" }];
    const missing = hasChromium() ? await whyNoLighthouse() : "needs Chromium";
    if (missing !== undefined) return [{ work: "Lighthouse", ours: undefined, note: missing }];
    await buildPage(PAGE_FOLDER);
    await using store = await startStore({
      dataFolder: await folderOfDrawings(context.cache, [COUNT], context.say),
      settings: { EVENTS_RETENTION: "forever" },
    });
    const rows: Row[] = [];
    for (const [view, path] of Object.entries(await pathsOf(store)))
      for (const screen of Object.keys(SCREENS) as (keyof typeof SCREENS)[])
        rows.push(...(await judge(context, { view, screen, url: store.url + path })));
    return rows;
  },
};

/** Undefined where npx can get it. */
async function whyNoLighthouse(): Promise<string | undefined> {
  const { code, error } = await npx(["--version"]);
  return code === 0 ? undefined : `npx can't get ${LIGHTHOUSE}: ${error.trim().split("\n").at(-1)}`;
}

async function pathsOf({ url }: RunningStore): Promise<Readonly<Record<string, string>>> {
  const album = `/v1/albums/${COUNT}`;
  const { items } = (await (await fetch(`${url}${album}/images?pageSize=1`)).json()) as { items: { id: string }[] };
  const shared = await fetch(`${url}${album}/shares`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
  });
  const { secret } = (await shared.json()) as { secret: string };
  return {
    albums: "/",
    album: `/albums/${COUNT}`,
    lightbox: `/albums/${COUNT}/${items[0]?.id}`,
    events: "/events",
    admin: "/admin",
    "share link": `/s/${secret}`,
    "sign-in": "/sign-in",
  };
}

interface Shown {
  readonly view: string;
  readonly screen: keyof typeof SCREENS;
  readonly url: string;
}

/** The scores of a view, each a row; in the note of a row what lost it points. */
async function judge({ runs, folder, say }: Context, { view, screen, url }: Shown): Promise<readonly Row[]> {
  const reports: LighthouseReport[] = [];
  for (let run = 0; run < runs; run++) {
    const file = join(folder, `${view}-${screen}-${run}.json`.replaceAll(" ", "-"));
    const flags = `--headless=new --disable-gpu ${process.getuid?.() === 0 ? "--no-sandbox" : ""}`;
    const { code, error } = await npx([
      url,
      "--quiet",
      "--output=json",
      `--output-path=${file}`,
      `--only-categories=${Object.keys(CATEGORIES).join(",")}`,
      `--max-wait-for-load=${LOAD_MS}`,
      `--chrome-flags=${flags}`,
      ...SCREENS[screen],
    ]);
    if (code !== 0) throw new Error(`Lighthouse on ${view}, ${screen}: ${error}`);
    reports.push((await Bun.file(file).json()) as LighthouseReport);
    say(`${view} on a ${screen}: ${scoresOf(reports.at(-1) as LighthouseReport).join(", ")}`);
  }
  return (Object.keys(CATEGORIES) as Category[]).map((category) => ({
    work: `${view} on a ${screen}: ${CATEGORIES[category]}`,
    ours: { unit: "points", runs: reports.map((report) => scoreOf(report, category)) },
    goal: { of: "ours", bound: "least", value: GOAL },
    note: lossesOf(reports.at(-1) as LighthouseReport, category).join("; "),
  }));
}

/** The part of a report that is read here. */
interface LighthouseReport {
  readonly categories: Readonly<
    Record<Category, { readonly score: number; readonly auditRefs: readonly { id: string; weight: number }[] }>
  >;
  readonly audits: Readonly<
    Record<string, { readonly score: number | null; readonly title: string; readonly displayValue?: string }>
  >;
}

const scoreOf = ({ categories }: LighthouseReport, category: Category): number =>
  Math.round(categories[category].score * 100);

const scoresOf = (report: LighthouseReport): readonly number[] =>
  (Object.keys(CATEGORIES) as Category[]).map((category) => scoreOf(report, category));

function lossesOf({ categories, audits }: LighthouseReport, category: Category): readonly string[] {
  return categories[category].auditRefs.flatMap(({ id, weight }) => {
    const audit = audits[id];
    if (audit === undefined || weight === 0 || audit.score === null || audit.score >= 0.9) return [];
    return [[audit.title, audit.displayValue].filter(Boolean).join(": ")];
  });
}

async function npx(args: readonly string[]): Promise<{ readonly code: number; readonly error: string }> {
  const program = Bun.which("npx");
  if (program === null) return { code: 127, error: "there is no npx" };
  const child = Bun.spawn([program, "--yes", LIGHTHOUSE, ...args], {
    env: { ...process.env, CHROME_PATH: chromiumPath ?? "" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    timeout: PATIENCE_MS,
  });
  return { error: await new Response(child.stderr).text(), code: await child.exited };
}
