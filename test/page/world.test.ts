import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { hasChromium } from "../services/chromium.ts";
import { rejectionOf, until } from "../waiting.ts";
import { expectAccessible } from "./axe.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** The page as a browser has it, and proof that a visit fails where the page does something that it must not. */

const isRun = hasChromium();
let world: PageWorld;
beforeAll(async () => {
  if (isRun) world = await startPageWorld();
});
afterAll(() => world?.[Symbol.asyncDispose]());

const started = (page: Page) => page.locator("#app > *").first().waitFor();

describe.skipIf(!isRun).each(SIZE_NAMES)("the page on a %s", (size) => {
  test("starts and is accessible", () =>
    world.visit("/", { size }, async ({ page, picture }) => {
      await started(page);
      await expectAccessible(page);
      await picture("start");
    }));
});

describe.skipIf(!isRun)("the page", () => {
  test.each(["/albums", "/albums/none", "/albums/none/none", "/events", "/admin", "/sign-in"])("starts at %s", (path) =>
    world.visit(path, { expected: [/status of 404/] }, async ({ page }) => started(page)),
  );

  test("offers the first key of a store with all rights", async () => {
    await world.visit("/admin", {}, async ({ page }) => {
      await page.getByRole("button", { name: "New key" }).click();
      const rights = page.getByRole("group", { name: "Rights" }).getByRole("checkbox");
      await rights.first().waitFor();
      expect(await rights.count()).toBe(7);
      expect(await rights.and(page.locator(":checked")).count()).toBe(7);
    });
  });

  test("starts under a path of a proxy", async () => {
    const prefix = "/pictures";
    await using proxy = {
      server: Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: async (request) => {
          const { pathname, search } = new URL(request.url);
          if (!pathname.startsWith(`${prefix}/`)) return new Response("Not of the store.", { status: 404 });
          return fetch(world.store.url + pathname.slice(prefix.length) + search, {
            headers: { accept: request.headers.get("accept") ?? "*/*" },
            decompress: false,
          });
        },
      }),
      [Symbol.asyncDispose]: () => proxy.server.stop(true),
    };
    const context = await world.browser.newContext();
    try {
      const page = await context.newPage();
      const missing: string[] = [];
      page.on("response", (response) => {
        if (response.status() === 404 && !response.url().includes(`${prefix}/`)) missing.push(response.url());
      });
      for (const path of ["/", "/albums/none"]) {
        await page.goto(`http://127.0.0.1:${proxy.server.port}${prefix}${path}`);
        await started(page);
      }
      expect(missing).toEqual([]);
    } finally {
      await context.close();
    }
  });
});

describe.skipIf(!isRun)("a visit fails where the page", () => {
  test.each([
    ["runs a script of its text", "policy: require-trusted-types-for", `add("script", { text: "1" })`],
    ["makes markup of text", "policy: require-trusted-types-for", `document.body.innerHTML = "<b>x</b>"`],
    ["has a style of its own", "policy: style-src", `add("style", { textContent: "a{}" })`],
    ["loads from another host", "policy: img-src", `add("img", { src: "http://127.0.0.1:1/x.png" })`],
    ["asks another host", "policy: connect-src", `fetch("http://127.0.0.1:1/")`],
    ["opens another host", "elsewhere: http://127.0.0.1:1/", `window.open("http://127.0.0.1:1/")`],
    ["throws", "thrown: Error: planted", `throw new Error("planted")`],
    ["writes an error to the console", "console: planted", `console.error("planted")`],
    ["asks for what is not there", "status of 404", `fetch("/v1/albums/planted-and-missing")`],
  ])("%s", async (_what, problem, script) => {
    const add = `const add = (name, fields) => document.body.append(Object.assign(document.createElement(name), fields));`;
    const failing = world.visit("/", {}, async ({ page, problems }) => {
      await page.evaluate(`setTimeout(async () => { ${add} ${script} })`);
      await until(() => problems.some((one) => one.includes(problem)));
    });
    expect((await rejectionOf(failing)).message).toContain(problem);
  });

  test("has a control without a name", async () => {
    const failing = world.visit("/", {}, async ({ page }) => {
      await page.evaluate(`document.querySelector("#app").append(document.createElement("button"))`);
      await expectAccessible(page);
    });
    expect((await rejectionOf(failing)).message).toContain("button-name");
  });
});
