import { expect } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import type { AppOptions } from "../../src/app.ts";
import { buildPage } from "../../web/build.ts";
import { startStore, type TestStore } from "../http/harness.ts";
import { startChromium } from "../services/chromium.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";

/** Screenshots: those that tests take, and one of each visit that failed. */
const PICTURES = process.env["IMAGE_STORE_TEST_PICTURES"] ?? join(import.meta.dir, "../../coverage/page");

const SIZES = {
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  desktop: { viewport: { width: 1440, height: 900 } },
} as const;
export type Size = keyof typeof SIZES;
export const SIZE_NAMES = Object.keys(SIZES) as Size[];

export interface VisitOptions {
  /** Default: desktop. */
  readonly size?: Size;
  /** Key, token or secret of a share that the browser has a session of. */
  readonly signedInWith?: string;
  /** Errors on the console that the visit is meant to cause, such as "status of 404". */
  readonly expected?: readonly RegExp[];
}

export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What went wrong so far, and will fail the visit. */
  readonly problems: readonly string[];
  /** Writes `<name>-<size>-dark.png` and `<name>-<size>-light.png` beside the other pictures. */
  readonly picture: (name: string) => Promise<void>;
}

/** A store with its page as the sources are now, and a browser. */
export interface PageWorld extends AsyncDisposable {
  readonly store: TestStore;
  readonly browser: Browser;
  /**
   * Opens a path in a browser without a past, as a person of that size of screen does. Fails where the page breaks its
   * policy, asks another host for anything, throws, or writes an error to the console that is not expected.
   */
  visit(path: string, options: VisitOptions, work: (visit: Visit) => Promise<void>): Promise<void>;
}

export async function startPageWorld(
  env: Readonly<Record<string, string>> = {},
  options: AppOptions = {},
): Promise<PageWorld> {
  await using stack = new AsyncDisposableStack();
  const folder = await newFolder("page");
  stack.defer(() => removeFolder(folder));
  const pageFolder = join(folder, "page");
  await buildPage(pageFolder);
  const store = stack.use(await startStore(env, { pageFolder, ...options }));
  const browser = await startChromium();
  stack.defer(() => browser.close());
  const kept = stack.move();
  return {
    store,
    browser,
    visit: (path, visitOptions, work) => visit({ store, browser, path }, visitOptions, work),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

interface Place extends Pick<PageWorld, "store" | "browser"> {
  readonly path: string;
}

async function visit(
  { store, browser, path }: Place,
  options: VisitOptions,
  work: (visit: Visit) => Promise<void>,
): Promise<void> {
  const { size = "desktop", signedInWith, expected = [] } = options;
  const context = await browser.newContext({
    ...SIZES[size],
    colorScheme: "light",
    reducedMotion: "reduce",
    locale: "en-GB",
    timezoneId: "UTC",
  });
  try {
    const problems = await watch(context, store);
    if (signedInWith !== undefined) await signIn(context, store, signedInWith);
    const page = await context.newPage();
    const picture = async (name: string) => {
      await mkdir(PICTURES, { recursive: true });
      for (const colorScheme of ["dark", "light"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: join(PICTURES, `${name}-${size}-${colorScheme}.png`) });
      }
    };
    try {
      await page.goto(store.url + path);
      await work({ page, context, problems, picture });
    } catch (error) {
      await picture(`failed-${path.replaceAll(/\W+/g, "-")}`).catch(() => undefined);
      throw problems.length === 0 ? error : new AggregateError([error], [String(error), ...problems].join("\n"));
    }
    expect(problems.filter((problem) => !expected.some((pattern) => pattern.test(problem)))).toEqual([]);
  } finally {
    await context.close();
  }
}

/** What no visit may cause, as it comes. */
async function watch(context: BrowserContext, store: TestStore): Promise<readonly string[]> {
  const problems: string[] = [];
  await context.exposeBinding("reportViolation", (_source, text: string) => problems.push(`policy: ${text}`));
  await context.addInitScript(`addEventListener("securitypolicyviolation", (event) =>
    reportViolation([event.effectiveDirective, event.blockedURI, event.sample, event.sourceFile].join(" ")))`);
  context.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()} (${message.location().url})`);
  });
  context.on("weberror", (error) => problems.push(`thrown: ${error.error().stack ?? error.error()}`));
  context.on("request", (request) => {
    const url = request.url();
    if (!/^(?:blob|data):/.test(url) && !url.startsWith(`${store.url}/`)) problems.push(`elsewhere: ${url}`);
  });
  return problems;
}

/** As the page does it. */
export async function signIn(context: BrowserContext, store: TestStore, secret: string): Promise<void> {
  const response = await store.fetch("/v1/session", {
    method: "POST",
    headers: { Authorization: `Bearer ${secret}`, Origin: store.url, "Sec-Fetch-Site": "same-origin" },
  });
  const [, name = "", value = ""] = /^([^=]+)=([^;]+)/.exec(response.headers.get("set-cookie") ?? "") ?? [];
  await context.addCookies([{ name, value, url: store.url, httpOnly: true, sameSite: "Strict" }]);
}

/** In the store, as signing out elsewhere does; the browser keeps its cookie. */
export async function endSession(context: BrowserContext, store: TestStore): Promise<void> {
  // Those of another port of this host are among them.
  const cookies = await context.cookies(store.url);
  const response = await store.fetch("/v1/session", {
    method: "DELETE",
    headers: {
      Cookie: cookies.map(({ name, value }) => `${name}=${value}`).join("; "),
      Origin: store.url,
      "Sec-Fetch-Site": "same-origin",
    },
  });
  expect(response.status).toBe(204);
}
