import { expect, test } from "bun:test";
import { runCli } from "../cli/run-cli.ts";
import { startStore } from "../http/harness.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { postgresIsMissing, usePostgres } from "./postgres-server.ts";

if (!postgresIsMissing())
  test("on PostgreSQL epoch --renew is refused while a node runs, and works once it has stopped", async () => {
    await using server = await usePostgres({ settings: { fsync: "off" } });
    const CATALOG_URL = await server.createDatabase();
    const folder = await newFolder("epoch");
    const renew = (env: Readonly<Record<string, string>> = {}) =>
      runCli(["epoch", "--renew"], folder, {
        env: { IMAGE_STORE_DATA: folder, IMAGE_STORE_CATALOG_URL: CATALOG_URL, ...env },
      });
    try {
      {
        await using store = await startStore({ CATALOG_URL });
        // It has its leases a moment after it began to answer.
        const metrics = async () => (await store.fetch("/metrics")).text();
        while (!(await metrics()).includes('image_store_lease_held{lease="sweep"} 1')) await Bun.sleep(10);
        const { code, out, err } = await renew();
        expect({ code, out }).toEqual({ code: 1, out: "" });
        expect(err).toContain("Nodes use this catalog");
      }
      const [one, two] = [await renew(), await renew()];
      expect([one.code, two.code]).toEqual([0, 0]);
      expect(Number(two.out)).toBeGreaterThan(Number(one.out));
    } finally {
      await removeFolder(folder);
    }
  }, 600_000);
