import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

const SOURCE = readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/** The rules of WCAG 2.2 A and AA, and good practice, as axe-core knows them, on the page as it is now. */
export async function expectAccessible(page: Page): Promise<void> {
  // By the protocol of the browser, which the policy of the page does not bind.
  const browser = await page.context().newCDPSession(page);
  try {
    await browser.send("Runtime.evaluate", { expression: SOURCE });
    const { result, exceptionDetails } = await browser.send("Runtime.evaluate", {
      expression: "axe.run(document, { resultTypes: ['violations'] })",
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(`axe-core failed: ${exceptionDetails.text}`);
    const { passes, violations } = result.value as AxeResults;
    expect(passes.length).toBeGreaterThan(5);
    expect(
      violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.map(({ target }) => target.join(" ")) })),
    ).toEqual([]);
  } finally {
    await browser.detach();
  }
}
