import { afterEach, beforeEach } from "bun:test";
import { join } from "node:path";
import { openSqliteCatalog } from "../../../src/adapters/catalog/sqlite.ts";
import { createOutbound } from "../../../src/adapters/outbound/outbound.ts";
import { createWebhookSender } from "../../../src/adapters/outbound/webhook-sender.ts";
import { parseOwnHosts } from "../../../src/config/addresses.ts";
import { EMPTY_ALBUM_FIELDS } from "../../../src/domain/album.ts";
import type { DisabledReason, WebhookSelection } from "../../../src/domain/webhook.ts";
import type { CreateWebhook } from "../../../src/domain/webhook-changes.ts";
import { newWebhookSecret } from "../../../src/domain/webhook-secret.ts";
import type { Catalog } from "../../../src/ports.ts";
import type { WebhooksOptions } from "../../../src/workers/webhooks/options.ts";
import { runWebhooks } from "../../../src/workers/webhooks/run-webhooks.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";

export const hourly = () => 3_600_000;

/** A catalog for each test, whose webhooks are delivered. */
export function useDeliveredCatalog() {
  let folder: string;
  let catalog: Catalog;
  beforeEach(async () => {
    folder = await newFolder("webhooks");
    catalog = await openSqliteCatalog({
      path: join(folder, "catalog.sqlite"),
      exclusive: false,
      writer: "inline",
      onFatal: (error) => {
        throw error;
      },
    });
  });
  afterEach(async () => {
    await catalog[Symbol.asyncDispose]();
    await removeFolder(folder);
  });

  const rules = { http: true, ports: [[1, 65_535]] as const, allowed: parseOwnHosts("127.0.0.1") };
  const disabled: [string, DisabledReason][] = [];

  /** Delivers until the result is disposed of. */
  function deliver({
    timeout = 60_000,
    ...options
  }: Partial<WebhooksOptions> & { timeout?: number } = {}): AsyncDisposable {
    const stop = new AbortController();
    const sender = createWebhookSender({ outbound: createOutbound({ rules }), userAgent: "test", timeout });
    disabled.length = 0;
    const observer = {
      attempted: () => {},
      disabled: (id: string, reason: DisabledReason) => void disabled.push([id, reason]),
      failed: () => {},
    };
    const quick = { minBackoff: 1, maxBackoff: 5, pollInterval: 20, saveInterval: 10, retryDelay: () => 5 };
    const running = runWebhooks({ catalog, sender, observer, ...quick, ...options }, stop.signal);
    return {
      async [Symbol.asyncDispose]() {
        stop.abort();
        await running;
        sender[Symbol.dispose]();
      },
    };
  }

  const create = async (url: string, selection: Partial<WebhookSelection> = {}): Promise<string> => {
    const id = Bun.randomUUIDv7();
    const all: Omit<CreateWebhook, "type" | "id" | "url"> = {
      types: null,
      albums: "*",
      description: null,
      secret: newWebhookSecret(),
      from: null,
    };
    await catalog.write({ type: "createWebhook", id, url, ...all, ...selection });
    return id;
  };

  let names = 0;
  async function createAlbum(name = `album ${names++}`): Promise<string> {
    const id = Bun.randomUUIDv7();
    await catalog.write({ type: "createAlbum", id, name, fields: EMPTY_ALBUM_FIELDS });
    return id;
  }
  const rename = (albumId: string, name = `album ${names++}`) =>
    catalog.write({ type: "updateAlbum", albumId, patch: { name } });

  const stateOf = async (id: string) => {
    const found = await catalog.webhook(id);
    if (found === undefined) throw new Error("There is no such webhook.");
    return found;
  };
  const caughtUp = async (id: string) => {
    const { delivery } = await stateOf(id);
    return delivery.lagEvents === 0 && delivery.blockedAlbums === 0;
  };

  const ofRecords = async () =>
    (await catalog.events({ visibility: "all", limit: 100_000 })).events.map(({ id }) => id);

  return {
    folder: () => folder,
    catalog: () => catalog,
    disabled,
    deliver,
    create,
    createAlbum,
    rename,
    stateOf,
    caughtUp,
    ofRecords,
  };
}
