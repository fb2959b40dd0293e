import type { Browser, CDPSession, Page } from "playwright-core";
import { hasChromium, startChromium } from "../test/services/chromium.ts";
import { buildPage, PAGE_FOLDER } from "../web/build.ts";
import type { Benchmark, Context, Goal, Row, Unit } from "./frame.ts";
import { observePage, type PageRecord } from "./page-observer.ts";
import { traceTasks } from "./page-tasks.ts";
import { folderOfDrawings } from "./seed-drawings.ts";
import { startStore } from "./store.ts";

/** Images of the album whose first view is measured on a cold cache. */
const FEW = 500;
const PATIENCE_MS = 300_000;

export const page: Benchmark = {
  name: "page",
  about: "the page in Chromium: an album of 1,000,000 images, and the first view of 500 on a cold cache",
  async run(context) {
    if (!hasChromium()) return [{ work: "the page in Chromium", ours: undefined, note: "needs Chromium" }];
    const many = context.smoke ? 20_000 : 1_000_000;
    await buildPage(PAGE_FOLDER);
    await using store = await startStore({
      dataFolder: await folderOfDrawings(context.cache, [FEW, many], context.say),
      settings: { EVENTS_RETENTION: "forever" },
    });
    const browser = await startChromium();
    try {
      // Of the store, not of the browser: the first view of a size renders each variant once.
      await onAlbum(browser, `${store.url}/albums/${FEW}`, async (opened) => opened.firstPicture());
      const first = await repeat(context, () => firstView(browser, `${store.url}/albums/${FEW}`));
      const large = await repeat(context, () => largeAlbum(browser, `${store.url}/albums/${many}`, many));
      return [
        ...rowsOf(`first view of ${FEW} images on a cold cache`, first, FIRST_VIEW),
        ...rowsOf(`an album of ${many.toLocaleString("en")} images`, large, LARGE),
      ];
    } finally {
      await browser.close();
    }
  },
};

/** What is measured, by the words of its row. */
type Figures<Name extends string> = Readonly<Record<Name, number>>;
interface Measure {
  readonly unit: Unit;
  readonly most?: number;
  readonly note?: string;
}

const FIRST_VIEW = {
  "script, as Brotli": { unit: "KB", most: 60 },
  "requests before that of the first picture": { unit: "requests", most: 10 },
  "first picture shown": { unit: "ms" },
  "largest contentful paint": { unit: "ms", most: 1000 },
} as const satisfies Record<string, Measure>;

const SEEN = "duration; tasks under 50 ms are not seen, and count as 0";
const PROCESSOR = "of the longest task; the machine's load does not lengthen it";
const LARGE = {
  "first tile shown": { unit: "ms", most: 1000 },
  "longest task while it opens": { unit: "ms", most: 50, note: SEEN },
  "processor time while it opens": { unit: "ms", most: 50, note: PROCESSOR },
  "all images known": { unit: "ms", note: "from the start; the page can be used meanwhile" },
  "longest task until all are known": { unit: "ms", most: 50, note: SEEN },
  "processor time until all are known": { unit: "ms", most: 50, note: PROCESSOR },
  "processor time while all are chosen": { unit: "ms", most: 50, note: PROCESSOR },
  "from the first to the last image": { unit: "ms", note: "by the key End, until the tile of the last image is there" },
  "longest task while scrolling through": { unit: "ms", most: 50, note: SEEN },
  "processor time while scrolling through": { unit: "ms", most: 50, note: PROCESSOR },
  "to the first image of a month": { unit: "ms", note: "from the choice of the month until its tile is there" },
  "heap of scripts when all are known": { unit: "MB", note: "without the buffers of typed arrays" },
  "heap of scripts after scrolling through": { unit: "MB", note: "40 places, from the first image to the last" },
} as const satisfies Record<string, Measure>;

async function repeat<Name extends string>(
  { runs }: Context,
  measure: () => Promise<Figures<Name>>,
): Promise<readonly Figures<Name>[]> {
  const found: Figures<Name>[] = [];
  for (let run = 0; run < runs; run++) found.push(await measure());
  return found;
}

function rowsOf<Name extends string>(
  of: string,
  runs: readonly Figures<Name>[],
  measures: Readonly<Record<Name, Measure>>,
): Row[] {
  return (Object.entries(measures) as [Name, Measure][]).map(([name, { unit, most, note }]) => {
    const goal: Goal | undefined = most === undefined ? undefined : { of: "ours", bound: "most", value: most };
    return {
      work: `${of}: ${name}`,
      ours: { unit, runs: runs.map((figures) => figures[name]) },
      ...(goal === undefined ? {} : { goal }),
      ...(note === undefined ? {} : { note }),
    };
  });
}

interface OpenedAlbum {
  readonly page: Page;
  readonly devtools: CDPSession;
  /** Waits until a picture of a tile is shown. */
  readonly firstPicture: () => Promise<void>;
  readonly record: () => Promise<PageRecord>;
}

/** A browser without a past on the album, as a desktop shows it. */
async function onAlbum<Result>(
  browser: Browser,
  url: string,
  work: (opened: OpenedAlbum) => Promise<Result>,
): Promise<Result> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  try {
    await context.addInitScript(observePage);
    await context.addInitScript(`localStorage.setItem("image-store.order", "takenAt")`);
    const opened = await context.newPage();
    await opened.goto(url, { waitUntil: "commit" });
    return await work({
      page: opened,
      devtools: await context.newCDPSession(opened),
      firstPicture: () => whenTrue(opened, "pageRecord.firstPicture > 0"),
      record: () => opened.evaluate<PageRecord>("pageRecord"),
    });
  } finally {
    await context.close();
  }
}

const firstView = (browser: Browser, url: string): Promise<Figures<keyof typeof FIRST_VIEW>> =>
  onAlbum(browser, url, async ({ firstPicture, page: opened, record }) => {
    await firstPicture();
    await whenTrue(opened, "[...document.querySelectorAll('[data-image-id] img')].every(({ complete }) => complete)");
    const { files, firstPicture: shownAt, largestPaint } = await record();
    const scripts = files.filter(({ isScript }) => isScript);
    const pictureAsked = Math.min(...files.filter(({ isPicture }) => isPicture).map(({ start }) => start));
    return {
      "script, as Brotli": scripts.reduce((sum, { bytes }) => sum + bytes, 0) / 1024,
      // And the document.
      "requests before that of the first picture": 1 + files.filter(({ start }) => start < pictureAsked).length,
      "first picture shown": shownAt,
      "largest contentful paint": largestPaint,
    };
  });

async function largeAlbum(browser: Browser, url: string, many: number): Promise<Figures<keyof typeof LARGE>> {
  const trace = await traceTasks(browser);
  return onAlbum(browser, url, async ({ devtools, firstPicture, page: opened, record }) => {
    await firstPicture();
    await trace.mark(opened, "opened");
    const opening = await record();
    await whenTrue(opened, "document.querySelector('[role=grid]')?.ariaRowCount > 0");
    const knownAt = await opened.evaluate<number>("performance.now()");
    const known = await record();
    await trace.mark(opened, "known");
    await chooseAll(opened);
    await trace.mark(opened, "chosen");
    const heapBefore = await heapOf(devtools);
    await trace.mark(opened, "collected");
    const last = await toLast(opened, many);
    const month = await toMonth(opened);
    const places = 40;
    for (let place = 0; place <= places; place++) {
      await opened.evaluate(`{
        const view = document.querySelector("[role=grid]").closest(".view") ?? document.scrollingElement;
        view.scrollTop = (view.scrollHeight * ${place}) / ${places};
      }`);
      await opened.waitForTimeout(250);
    }
    const { tasks } = await record();
    await trace.mark(opened, "scrolled");
    const processor = await trace.stop();
    const longest = (from: number, to: number) =>
      Math.max(0, ...tasks.filter(({ start }) => start >= from && start < to).map(({ duration }) => duration));
    return {
      "first tile shown": opening.firstTile,
      "longest task while it opens": longest(0, opening.firstPicture),
      "processor time while it opens": processor.longest(undefined, "opened"),
      "processor time until all are known": processor.longest("opened", "known"),
      "processor time while all are chosen": processor.longest("known", "chosen"),
      "processor time while scrolling through": processor.longest("collected", "scrolled"),
      "all images known": knownAt,
      "longest task until all are known": longest(opening.firstPicture, knownAt),
      "from the first to the last image": last,
      "longest task while scrolling through": longest(known.now, Number.POSITIVE_INFINITY),
      "to the first image of a month": month,
      "heap of scripts when all are known": heapBefore,
      "heap of scripts after scrolling through": await heapOf(devtools),
    };
  });
}

/** By the keys, and none again. */
async function chooseAll(opened: Page): Promise<void> {
  await opened.locator("[data-index] a").first().focus();
  await opened.keyboard.press("Control+a");
  await whenTrue(opened, "document.querySelector('.tile.selected') !== null");
  await opened.keyboard.press("Escape");
  await whenTrue(opened, "document.querySelector('.tile.selected') === null");
}

/** Milliseconds from the key until the tile of the last image is there. */
async function toLast(opened: Page, many: number): Promise<number> {
  await opened.locator("[data-index] a").first().focus();
  const started = await opened.evaluate<number>("performance.now()");
  await opened.keyboard.press("End");
  await whenTrue(opened, `document.querySelector('[data-index="${many - 1}"]') !== null`);
  return (await opened.evaluate<number>("performance.now()")) - started;
}

/** Milliseconds from the choice of a month until the tile of its first image is at the top. */
async function toMonth(opened: Page): Promise<number> {
  const months = opened.locator(".month select");
  const month = await opened.evaluate<string>(
    "(({ options }) => options[Math.floor(options.length * 0.6)].textContent)(document.querySelector('.month select'))",
  );
  const started = await opened.evaluate<number>("performance.now()");
  await months.selectOption(month);
  await whenTrue(
    opened,
    `[...document.querySelectorAll(".date")].some((heading) => {
    const { top } = heading.getBoundingClientRect();
    return heading.textContent.includes(${JSON.stringify(month)}) && top > 0 && top < 200;
  })`,
  );
  return (await opened.evaluate<number>("performance.now()")) - started;
}

/** The policy of the page forbids what Playwright waits by. */
async function whenTrue(opened: Page, expression: string): Promise<void> {
  const started = performance.now();
  while (!(await opened.evaluate<boolean>(`Boolean(${expression})`))) {
    if (performance.now() - started > PATIENCE_MS) throw new Error(`This is still not so: ${expression}`);
    await Bun.sleep(10);
  }
}

async function heapOf(devtools: CDPSession): Promise<number> {
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  return usedSize / 2 ** 20;
}
