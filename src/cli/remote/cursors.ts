import type { components } from "../../../client/src/index.ts";
import { EXIT } from "../context.ts";
import type { RemoteCall } from "./connection.ts";
import { printFields, requireOperands } from "./records.ts";

type Cursor = components["schemas"]["DurableCursor"];

const readCursors = async ({ client, signal }: RemoteCall): Promise<readonly Cursor[]> =>
  (await client.send("GET", "/v1/cursors", { signal })).items;

/** Separated by tabs: name, lag, time of the last change. */
export async function listCursors(call: RemoteCall): Promise<number> {
  for (const cursor of await readCursors(call)) {
    const { name, lagEvents, lagSeconds, updatedAt } = cursor;
    const lag = `${lagEvents} events behind, ${Math.round(lagSeconds)} s`;
    await call.print(cursor, [name, lag, updatedAt].join("\t"));
  }
  return EXIT.ok;
}

export async function showCursor(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "the name of a cursor");
  const [name = ""] = call.operands;
  const found = (await readCursors(call)).find((cursor) => cursor.name === name);
  if (found === undefined) throw new Error(`There is no cursor ${name}. "image-store cursor list" lists them.`);
  await printFields(call, found);
  return EXIT.ok;
}

export async function deleteCursor(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "the name of a cursor");
  const { client, operands, signal, print } = call;
  const [name = ""] = operands;
  await client.send("DELETE", "/v1/cursors/{name}", { path: { name }, signal });
  await print({ action: "delete", name }, `Deleted the cursor ${name}`);
  return EXIT.ok;
}
