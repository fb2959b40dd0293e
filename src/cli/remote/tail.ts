import type { EventType } from "../../../client/src/index.ts";
import { EXIT } from "../context.ts";
import type { RemoteCall } from "./connection.ts";

/** Prints events until the user stops it, or until the reader of its output is gone. */
export async function tail(call: RemoteCall): Promise<number> {
  const { client, signal, context, print, url } = call;
  const types = call.texts("type").map((type) => (type.includes("imagestore.") ? type : `imagestore.${type}`));
  const from = await startOf(call);
  let isLost = false;
  const events = client.follow({
    ...(from === undefined ? {} : { from }),
    ...(types.length === 0 ? {} : { types: types as EventType[] }),
    signal,
    // Without an error the store ended the stream, and answers again at once.
    onReconnect(error) {
      if (error !== undefined && !isLost) context.err(`The connection to ${url} was lost; connecting again.\n`);
      isLost ||= error !== undefined;
    },
  });
  for await (const { event, cursor } of events) {
    isLost = false;
    const line = { ...event, cursor };
    await print(line, JSON.stringify(line));
  }
  return EXIT.ok;
}

/**
 * Where to begin; undefined for the oldest event. The latest is looked up once, so that no event is missed if the first
 * connection fails.
 * @throws StoreError if there is no store, or it refuses: later, each failure is taken for one that passes
 */
async function startOf({ client, signal, text }: RemoteCall): Promise<string | undefined> {
  const from = text("from") ?? "latest";
  const after = from === "oldest" ? {} : { after: from };
  const { nextCursor } = await client.send("GET", "/v1/events", { query: { ...after, limit: 1 }, signal });
  if (from === "latest") return nextCursor;
  return from === "oldest" ? undefined : from;
}
