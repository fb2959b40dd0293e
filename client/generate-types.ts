import { join } from "node:path";
import { runNpmProgram } from "../test/clients/tools.ts";

/** The types of openapi.json, as client/src/schema.ts has them. */
export async function writeTypes(target: string): Promise<void> {
  await runNpmProgram("openapi-typescript/bin/cli.js", [join(import.meta.dir, "../openapi.json"), "-o", target]);
}

if (import.meta.main) await writeTypes(join(import.meta.dir, "src/schema.ts"));
