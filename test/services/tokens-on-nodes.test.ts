import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ServerProcess, startServer } from "../faults/server-process.ts";
import { bearer, createSigner, RULES, type TestSigner, tokenSettings } from "../http/test-tokens.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { until } from "../waiting.ts";
import { postgresIsMissing, startPostgres } from "./postgres-server.ts";

const NODES = ["a", "b", "c"] as const;
/** {@link RULES} give `ann` her albums; these give the team `press` its own besides. */
const WIDER = RULES.replace(/\]$/, ',{"claim":"team","equals":"press","rights":["read","write"],"albums":["press"]}]');

if (!postgresIsMissing())
  describe("tokens on three nodes", () => {
    let server: Awaited<ReturnType<typeof startPostgres>>;
    let folder: string;
    let signer: TestSigner;
    const nodes: ServerProcess[] = [];
    const fileOf = (node: string, name: string) => join(folder, `${node}-${name}.json`);
    beforeAll(async () => {
      server = await startPostgres({ settings: { fsync: "off" } });
      folder = await newFolder("tokens-on-nodes");
      signer = await createSigner();
      const url = await server.createDatabase();
      for (const node of NODES) {
        await writeFile(fileOf(node, "rules"), RULES);
        const tokens = { ...(await tokenSettings(fileOf(node, "keys"), [signer])), JWT_RULES: fileOf(node, "rules") };
        const settings = { CATALOG_URL: url, LOG_LEVEL: "info", ...tokens };
        const env = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`IMAGE_STORE_${name}`, value]));
        nodes.push(await startServer({ dataFolder: join(folder, node), env }));
      }
    }, 600_000);
    afterAll(async () => {
      for (const node of nodes) await node[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await removeFolder(folder);
    });

    /** The status of the request on each node. */
    const statuses = (path: string, token: string, method = "GET") =>
      Promise.all(
        nodes.map(async ({ url }) => {
          const response = await fetch(url + path, { method, headers: bearer(token) });
          await response.arrayBuffer();
          return response.status;
        }),
      );

    /** Sends SIGHUP to one node, and waits until it has read its files again. */
    async function hangUp(index: number): Promise<void> {
      const node = nodes[index];
      if (node === undefined) throw new Error(`There is no node ${index}.`);
      const reloads = () => node.output().split("keys reloaded").length;
      const before = reloads();
      process.kill(node.pid, "SIGHUP");
      await until(() => reloads() > before);
    }

    test("each node accepts the same token, and gives it the same albums", async () => {
      const token = await signer.sign();
      for (const path of ["/v1/albums/u-ann-a", "/v1/albums/u-ann-b"])
        expect((await statuses(path, token, "PUT")).toSorted((one, other) => one - other)).toEqual([200, 200, 201]);
      expect(await statuses("/v1/albums/u-ann-a", token)).toEqual([200, 200, 200]);
      expect(await statuses("/v1/albums/u-ann-a", await signer.sign({ sub: "bob" }))).toEqual([404, 404, 404]);
      const forged = await (await createSigner()).sign();
      expect(await statuses("/v1/albums/u-ann-a", forged)).toEqual([401, 401, 401]);
    });

    test("rules and keys that a node reads again on SIGHUP hold on that node only", async () => {
      const token = await signer.sign({ team: "press" });
      expect(await statuses("/v1/albums/press", token, "PUT")).toEqual([404, 404, 404]);
      for (const node of NODES) await writeFile(fileOf(node, "rules"), WIDER);
      await hangUp(1);
      expect(await statuses("/v1/albums/press", token, "PUT")).toEqual([404, 201, 404]);
      await hangUp(0);
      await hangUp(2);
      expect(await statuses("/v1/albums/press", token)).toEqual([200, 200, 200]);

      for (const node of NODES) await tokenSettings(fileOf(node, "keys"), [await createSigner("ES256", "next")]);
      await hangUp(2);
      expect(await statuses("/v1/albums/press", token)).toEqual([200, 200, 401]);
      await hangUp(0);
      await hangUp(1);
      expect(await statuses("/v1/albums/press", token)).toEqual([401, 401, 401]);
    });
  });
