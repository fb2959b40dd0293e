import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The code of a recipe as its page shows it, by language in the order of the page. */
export function codeOf(name: string): Readonly<Record<string, readonly string[]>> {
  const page = readFileSync(join(import.meta.dir, `../../docs/recipes/${name}.md`), "utf8");
  const blocks = [...page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)];
  const byLanguage: Record<string, string[]> = {};
  for (const [, language = "", code = ""] of blocks) (byLanguage[language] ??= []).push(code);
  return byLanguage;
}
