import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Debian's package chromium, or another that is named. */
export const chromiumPath =
  process.env["IMAGE_STORE_TEST_CHROMIUM"] ??
  ["chromium", "chromium-browser", "google-chrome"].map((name) => Bun.which(name)).find((found) => found !== null);

/** Says out loud what is missing; where CI is set it fails instead. */
export function hasChromium(): boolean {
  if (chromiumPath !== undefined && existsSync(chromiumPath)) return true;
  if (process.env["CI"] === "true") throw new Error("These tests need Chromium.");
  console.warn("SKIPPED: these tests need Chromium (IMAGE_STORE_TEST_CHROMIUM names one).");
  return false;
}

/** Milliseconds; at a load of 40 a browser, and a page with its first variant, need more than the 30 s of Playwright. */
const PATIENCE = 150_000;

/** A browser of its own with an empty profile, which asks nothing of the network by itself. */
export async function startChromium(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error("There is no Chromium.");
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    headless: true,
    timeout: PATIENCE,
    // Without it Chromium refuses to run as root, as it does in containers.
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
  browser.on("context", (context) => context.setDefaultTimeout(PATIENCE));
  return browser;
}
