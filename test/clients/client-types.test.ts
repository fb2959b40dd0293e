import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeTypes } from "../../client/generate-types.ts";
import { toolsAreMissing } from "./tools.ts";

if (!toolsAreMissing()) {
  test("the types of image-store-client are those of openapi.json", async () => {
    const folder = await mkdtemp(join(tmpdir(), "image-store-types-"));
    try {
      await writeTypes(join(folder, "schema.ts"));
      const fresh = await Bun.file(join(folder, "schema.ts")).text();
      expect(fresh).toContain("export interface paths");
      expect((await Bun.file(join(import.meta.dir, "../../client/src/schema.ts")).text()) === fresh).toBe(true);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
