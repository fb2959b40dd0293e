import { type components, pages } from "../../../client/src/index.ts";
import { splitList } from "../../config/values.ts";
import { seeHelp, UsageError } from "../arguments.ts";
import { EXIT } from "../context.ts";
import { readAlbums } from "../key-arguments.ts";
import { firstLineOf, type RemoteCall } from "./connection.ts";
import { printFields, requireOperands } from "./records.ts";

type Webhook = components["schemas"]["Webhook"];
type Patch = components["schemas"]["WebhookPatch"];
type Attempt = components["schemas"]["DeliveryAttempt"];

const WEBHOOK = "/v1/webhooks/{webhook}";

function pathOf(call: RemoteCall): { readonly webhook: string } {
  requireOperands(call, 1, "the id of a webhook");
  return { webhook: call.operands[0] ?? "" };
}

/** What was given of the types, albums and description. */
function readSelection(call: RemoteCall): Pick<Patch, "types" | "albums" | "description"> {
  const [types, description] = [call.text("types"), call.text("description")];
  const albums = readAlbums(call, { mayBeAll: true });
  return {
    // The store knows the types, also by their short names, and says which it does not know.
    ...(types === undefined
      ? {}
      : { types: types === "all" ? null : (splitList(types) as NonNullable<Patch["types"]>) }),
    ...(albums === undefined ? {} : { albums }),
    ...(description === undefined ? {} : { description: description === "" ? null : description }),
  };
}

/** From a file or standard input, so that the list of processes does not show it. */
function readSecret(call: RemoteCall): { readonly secret?: string } {
  const { text, context, command } = call;
  const file = text("secret-file");
  if (file === undefined) return {};
  if (file === "-" && text("key") === "-")
    throw new UsageError(`--key and --secret-file cannot both be standard input. ${seeHelp(command)}`);
  const secret = firstLineOf(file === "-" ? "/dev/stdin" : file, context);
  if (secret === "") throw new UsageError(`The first line of --secret-file must be a secret. ${seeHelp(command)}`);
  return { secret };
}

export async function createWebhook(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "a URL");
  const { client, signal, print, context, operands, text } = call;
  const [url = ""] = operands;
  const from = text("from");
  const body = { url, ...readSelection(call), ...(from === undefined ? {} : { from }), ...readSecret(call) };
  const webhook = await client.send("POST", "/v1/webhooks", { body, signal });
  await print(webhook, webhook.secret);
  context.err(`The webhook ${webhook.id} was made. Its secret is not shown again.\n`);
  return EXIT.ok;
}

export async function listWebhooks({ client, signal, print }: RemoteCall): Promise<number> {
  const webhooks = pages((token) =>
    client.send("GET", "/v1/webhooks", { query: { pageSize: 1000, ...token }, signal }),
  );
  for await (const webhook of webhooks) await print(webhook, lineOf(webhook));
  return EXIT.ok;
}

function lineOf(webhook: Webhook): string {
  const { id, delivery, url, description } = webhook;
  return [id, stateOf(webhook), `${delivery.lagEvents} events behind`, url, description ?? ""].join("\t");
}

function stateOf({ paused, disabled, delivery }: Webhook): string {
  if (disabled !== null) return `disabled (${disabled.reason})`;
  if (paused) return "paused";
  return delivery.failingSince === null ? "active" : `failing since ${delivery.failingSince}`;
}

export async function showWebhook(call: RemoteCall): Promise<number> {
  const path = pathOf(call);
  await printFields(call, await call.client.send("GET", WEBHOOK, { path, signal: call.signal }));
  return EXIT.ok;
}

export function updateWebhook(call: RemoteCall): Promise<number> {
  const url = call.text("to");
  const body = { ...(url === undefined ? {} : { url }), ...readSelection(call) };
  if (Object.keys(body).length === 0)
    throw new UsageError(
      `"webhook update" needs --to, --types, --albums or --description. ${seeHelp("webhook update")}`,
    );
  return patch(call, body);
}

export const pauseWebhook = (call: RemoteCall): Promise<number> => patch(call, { paused: true });
export const resumeWebhook = (call: RemoteCall): Promise<number> => patch(call, { paused: false, disabled: null });

async function patch(call: RemoteCall, body: Patch): Promise<number> {
  const path = pathOf(call);
  const webhook = await call.client.send("PATCH", WEBHOOK, { path, body, signal: call.signal });
  if (webhook === undefined) throw new Error("The store sent no record of the webhook.");
  await printFields(call, webhook);
  return EXIT.ok;
}

export async function deleteWebhook(call: RemoteCall): Promise<number> {
  const path = pathOf(call);
  const { client, signal, print } = call;
  await client.send("DELETE", WEBHOOK, { path, signal });
  await print({ action: "delete", id: path.webhook }, `Deleted the webhook ${path.webhook}`);
  return EXIT.ok;
}

export async function testWebhook(call: RemoteCall): Promise<number> {
  const path = pathOf(call);
  const { client, signal, print } = call;
  const result = await client.send("POST", `${WEBHOOK}/test`, { path, signal });
  const { delivered, status, milliseconds, error } = result;
  await print(
    result,
    delivered ? `Delivered: ${status} in ${milliseconds} ms` : `Not delivered: ${error?.detail ?? ""}`,
  );
  return delivered ? EXIT.ok : EXIT.failed;
}

export async function replayWebhook(call: RemoteCall): Promise<number> {
  const path = pathOf(call);
  const { client, signal, print, text } = call;
  const [from, to] = [text("from"), text("to")];
  if (from === undefined)
    throw new UsageError(`"webhook replay" needs --from CURSOR or --from TIME. ${seeHelp("webhook replay")}`);
  const body = { from, ...(to === undefined ? {} : { to }) };
  const range = await client.send("POST", `${WEBHOOK}/replay`, { path, body, signal });
  await print({ action: "replay", ...range }, `Replaying from ${range.from} to ${range.to}`);
  return EXIT.ok;
}

export async function listDeliveries(call: RemoteCall): Promise<number> {
  const path = pathOf(call);
  const { client, signal, print } = call;
  const failed = call.has("failed");
  const attempts = pages((token) =>
    client.send("GET", `${WEBHOOK}/deliveries`, { path, query: { pageSize: 1000, ...token }, signal }),
  );
  for await (const attempt of attempts) {
    if (failed && attempt.delivered) continue;
    await print(attempt, lineOfAttempt(attempt));
  }
  return EXIT.ok;
}

const lineOfAttempt = ({ startedAt, status, error, milliseconds, type, eventId }: Attempt): string =>
  [startedAt, status ?? error?.code ?? "", `${milliseconds} ms`, type, eventId].join("\t");

export async function rotateWebhookSecret(call: RemoteCall): Promise<number> {
  const path = pathOf(call);
  const { client, signal, print, context } = call;
  const webhook = await client.send("POST", `${WEBHOOK}/rotate-secret`, { path, body: readSecret(call), signal });
  await print(webhook, webhook.secret);
  context.err(`The former secret signs too until ${webhook.formerSecretsUntil ?? ""}.\n`);
  return EXIT.ok;
}
