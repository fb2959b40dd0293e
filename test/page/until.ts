import { setTimeout } from "node:timers/promises";
import type { Page } from "playwright-core";

const PAUSE_MS = 50;
/** Of a machine with a load of 40. */
const LONGEST_MS = 150_000;

/** Waits until an expression holds in the page. Playwright's own way evaluates text in the page, which its policy forbids. */
export async function until(page: Page, expression: string): Promise<void> {
  const end = Date.now() + LONGEST_MS;
  while (!(await page.evaluate<unknown>(`Boolean(${expression})`))) {
    if (Date.now() > end) throw new Error(`This never came true: ${expression}`);
    await setTimeout(PAUSE_MS);
  }
}
