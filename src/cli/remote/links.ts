import { pages } from "../../../client/src/index.ts";
import { seeHelp, UsageError } from "../arguments.ts";
import { EXIT } from "../context.ts";
import { expiryText, readDuration, readExpiry } from "../key-arguments.ts";
import type { RemoteCall } from "./connection.ts";
import { describeError, isFatal } from "./describe-error.ts";
import { printFields, requireOperands } from "./records.ts";

const ALBUM = "/v1/albums/{album}";
const albumOf = ({ operands }: RemoteCall) => ({ album: operands[0] ?? "" });

/** Prints the link alone, for pipes. */
export async function createShare(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "an album");
  const { client, signal, print } = call;
  const expires = readExpiry(call);
  const made = await client.send("POST", `${ALBUM}/shares`, {
    path: albumOf(call),
    body: {
      label: call.text("label") ?? null,
      rights: call.has("write") ? ["read", "write"] : ["read"],
      originals: call.has("originals"),
      ...(expires === undefined ? {} : { expiresAt: expires === null ? null : new Date(expires).toISOString() }),
    },
    signal,
  });
  const url = absolute(made.url, call);
  await print({ ...made, url }, url);
  return EXIT.ok;
}

export async function listShares(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "an album");
  const { client, signal, print } = call;
  const path = albumOf(call);
  const shares = pages((query) => client.send("GET", `${ALBUM}/shares`, { path, query, signal }));
  for await (const share of shares) {
    const { id, rights, expiresAt, uses, label } = share;
    await print(share, [id, rights.join(","), expiryText(expiresAt), `${uses} uses`, label ?? ""].join("\t"));
  }
  return EXIT.ok;
}

export async function showShare(call: RemoteCall): Promise<number> {
  requireOperands(call, 2, "an album and the id of a share");
  const { client, operands, signal } = call;
  const path = { ...albumOf(call), share: operands[1] ?? "" };
  await printFields(call, await client.send("GET", `${ALBUM}/shares/{share}`, { path, signal }));
  return EXIT.ok;
}

export async function revokeShares(call: RemoteCall): Promise<number> {
  requireOperands(call, 2, "an album and ids of shares");
  const { client, signal } = call;
  return revokeEach(call, (share) =>
    client.send("DELETE", `${ALBUM}/shares/{share}`, { path: { ...albumOf(call), share }, signal }),
  );
}

/** From a minute to a day, in milliseconds. */
const TICKET_TIMES = { least: 60_000, most: 86_400_000 };

export async function createTicket(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "an album");
  const { client, signal, print } = call;
  const [name, files = "1"] = [call.text("name"), call.text("files")];
  if (!/^[1-9]\d{0,2}$/.test(files) || Number(files) > 100)
    throw new UsageError(`--files must be a number from 1 to 100, not "${files}". ${seeHelp(call.command)}`);
  const made = await client.send("POST", `${ALBUM}/tickets`, {
    path: albumOf(call),
    body: { files: Number(files), expiresIn: readLifetime(call), ...(name === undefined ? {} : { name }) },
    signal,
  });
  const url = absolute(made.url, call);
  await print({ ...made, url }, url);
  return EXIT.ok;
}

/** In seconds. */
function readLifetime(call: RemoteCall): number {
  const text = call.text("expires") ?? "1h";
  const time = readDuration(call, text);
  if (time >= TICKET_TIMES.least && time <= TICKET_TIMES.most) return Math.floor(time / 1000);
  throw new UsageError(`--expires must be from 1m to 24h, not "${text}". ${seeHelp(call.command)}`);
}

export async function listTickets(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "an album");
  const { client, signal, print } = call;
  const path = albumOf(call);
  const tickets = pages((query) => client.send("GET", `${ALBUM}/tickets`, { path, query, signal }));
  for await (const ticket of tickets) {
    const { id, files, filesLeft, expiresAt, name } = ticket;
    await print(ticket, [id, `${filesLeft} of ${files} files left`, expiryText(expiresAt), name ?? ""].join("\t"));
  }
  return EXIT.ok;
}

export async function revokeTickets(call: RemoteCall): Promise<number> {
  requireOperands(call, 2, "an album and ids of tickets");
  const { client, signal } = call;
  return revokeEach(call, (ticket) =>
    client.send("DELETE", `${ALBUM}/tickets/{ticket}`, { path: { ...albumOf(call), ticket }, signal }),
  );
}

/** The rest goes on if one is not there. */
async function revokeEach(call: RemoteCall, revoke: (id: string) => Promise<unknown>): Promise<number> {
  const { operands, signal, print, context } = call;
  let code: number = EXIT.ok;
  for (const id of operands.slice(1)) {
    try {
      await revoke(id);
      await print({ action: "revoke", id }, `Revoked ${id}`);
    } catch (error) {
      if (signal.aborted || isFatal(error)) throw error;
      context.err(`${id}: ${describeError(error, call)}\n`);
      code = EXIT.failed;
    }
  }
  return code;
}

/** The store knows only a path if it has no public URL. */
export const absolute = (url: string, call: Pick<RemoteCall, "url">): string =>
  url.startsWith("/") ? call.url + url : url;
