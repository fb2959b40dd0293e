import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import type { AxeResults } from "axe-core";
import type { CDPSession, Page } from "playwright-core";

const SOURCE = readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/** The rules of WCAG 2.2 A and AA, and good practice, as axe-core knows them, on the page as it is now, and in dark colours. */
export async function expectAccessible(page: Page): Promise<void> {
  // By the protocol of the browser, which the policy of the page does not bind.
  const browser = await page.context().newCDPSession(page);
  try {
    await browser.send("Runtime.evaluate", { expression: SOURCE });
    const { passes, violations } = await resultsOf(browser, "{ resultTypes: ['violations'] }");
    expect(passes.length).toBeGreaterThan(5);
    expectNone(violations);
    await page.emulateMedia({ colorScheme: "dark" });
    expectNone((await resultsOf(browser, "{ runOnly: ['color-contrast'] }")).violations);
    await page.emulateMedia({ colorScheme: "light" });
  } finally {
    await browser.detach();
  }
}

async function resultsOf(browser: CDPSession, options: string): Promise<AxeResults> {
  const { result, exceptionDetails } = await browser.send("Runtime.evaluate", {
    expression: `axe.run(document, ${options})`,
    awaitPromise: true,
    returnByValue: true,
  });
  if (exceptionDetails !== undefined) throw new Error(`axe-core failed: ${exceptionDetails.text}`);
  return result.value as AxeResults;
}

const expectNone = (violations: AxeResults["violations"]): void =>
  expect(
    violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.map(({ target }) => target.join(" ")) })),
  ).toEqual([]);
