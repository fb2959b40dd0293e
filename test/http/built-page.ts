import { readdirSync } from "node:fs";
import { join } from "node:path";

const ASSETS = join(import.meta.dir, "../../dist/page/assets");

/** A script of the page, as `npm run prepare` named it. @throws Error where the page is not built */
export function builtAsset(): string {
  const found = readdirSync(ASSETS).find((name) => name.endsWith(".js"));
  if (found === undefined) throw new Error(`${ASSETS} has no script: run npm run prepare.`);
  return found;
}
