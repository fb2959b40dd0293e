import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

/** Images and requests that are kept outside of the repository. Where they are not there, tests of them are skipped. */
export const CORPORA = resolve(process.env["IMAGE_STORE_CORPORA"] ?? join(import.meta.dir, "../../shared/corpora"));

export const hasCorpora = existsSync(CORPORA);
if (!hasCorpora) console.warn(`SKIPPED: the corpora are not in ${CORPORA} (IMAGE_STORE_CORPORA).`);
