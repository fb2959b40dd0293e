import type { components } from "../../../client/src/index.ts";
import { seeHelp, UsageError } from "../arguments.ts";
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

export async function rewindCursor(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "the name of a cursor");
  const { client, operands, signal, print, text } = call;
  const [name = ""] = operands;
  const to = text("to");
  if (to === undefined)
    throw new UsageError(`"cursor rewind" needs --to CURSOR or --to TIME. ${seeHelp("cursor rewind")}`);
  const cursor = await client.send("POST", "/v1/cursors/{name}/rewind", { path: { name }, body: { to }, signal });
  await print({ action: "rewind", ...cursor }, `Rewound the cursor ${name}: ${cursor.lagEvents} events behind`);
  return EXIT.ok;
}
