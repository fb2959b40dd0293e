import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";

/** The code of a recipe as its page shows it, by language in the order of the page. */
export function codeOf(name: string): Readonly<Record<string, readonly string[]>> {
  const page = readFileSync(join(import.meta.dir, `../../docs/recipes/${name}.md`), "utf8");
  const blocks = [...page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)];
  const byLanguage: Record<string, string[]> = {};
  for (const [, language = "", code = ""] of blocks) (byLanguage[language] ??= []).push(code);
  return byLanguage;
}

/** For a store of a recipe that listens on the port of `url`: without this process's own settings of a store. */
export const environmentOf = (url: string): Readonly<Record<string, string | undefined>> => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("IMAGE_STORE_"))),
  IMAGE_STORE_PORT: new URL(url).port,
  IMAGE_STORE_MIN_FREE: "0",
  IMAGE_STORE_LOG_LEVEL: "warn",
});

export async function isUp(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

/** What a page says in its only output, once it says anything. */
export const saidBy = (page: Page) =>
  page.waitForFunction('document.querySelector("output").value').then((value) => value.jsonValue());
