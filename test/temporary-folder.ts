import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of its own for a test, named for what it is about. The test removes it. */
export const newFolder = (name: string): Promise<string> => mkdtemp(join(tmpdir(), `image-store-${name}-`));

/** With all that is in it. */
export const removeFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });
