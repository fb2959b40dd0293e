import { StoreError } from "../../../client/src/index.ts";
import { type Arguments, optionValues, UsageError } from "../arguments.ts";
import { type CliContext, EXIT } from "../context.ts";
import type { KeyCommandName } from "../key-commands.ts";
import type { RemoteCommandName } from "./commands.ts";
import { connect, type RemoteCall } from "./connection.ts";
import { describeError } from "./describe-error.ts";

type Run = (call: RemoteCall) => Promise<number>;

/** Commands on keys may also work on the catalog of the store. */
export type StoreCommandName = RemoteCommandName | Exclude<KeyCommandName, "key entry">;

const COMMANDS: Readonly<Record<StoreCommandName, () => Promise<Run>>> = {
  ls: async () => (await import("./records.ts")).list,
  stat: async () => (await import("./records.ts")).stat,
  rm: async () => (await import("./records.ts")).remove,
  mv: async () => (await import("./relocate.ts")).move,
  cp: async () => (await import("./relocate.ts")).copy,
  tag: async () => (await import("./tags.ts")).changeTags,
  put: async () => (await import("./put.ts")).put,
  get: async () => (await import("./get.ts")).get,
  sync: async () => (await import("./sync.ts")).sync,
  export: async () => (await import("./export.ts")).exportAlbums,
  import: async () => (await import("./import.ts")).importFolder,
  "share create": async () => (await import("./links.ts")).createShare,
  "share list": async () => (await import("./links.ts")).listShares,
  "share show": async () => (await import("./links.ts")).showShare,
  "share revoke": async () => (await import("./links.ts")).revokeShares,
  "ticket create": async () => (await import("./links.ts")).createTicket,
  "ticket list": async () => (await import("./links.ts")).listTickets,
  "ticket revoke": async () => (await import("./links.ts")).revokeTickets,
  "key create": async () => (await import("./keys.ts")).createKey,
  "key list": async () => (await import("./keys.ts")).listKeys,
  "key show": async () => (await import("./keys.ts")).showKey,
  "key update": async () => (await import("./keys.ts")).updateKey,
  "key revoke": async () => (await import("./keys.ts")).revokeKey,
  "cursor list": async () => (await import("./cursors.ts")).listCursors,
  "cursor show": async () => (await import("./cursors.ts")).showCursor,
  "cursor delete": async () => (await import("./cursors.ts")).deleteCursor,
  "cursor rewind": async () => (await import("./cursors.ts")).rewindCursor,
  "webhook create": async () => (await import("./webhooks.ts")).createWebhook,
  "webhook list": async () => (await import("./webhooks.ts")).listWebhooks,
  "webhook show": async () => (await import("./webhooks.ts")).showWebhook,
  "webhook update": async () => (await import("./webhooks.ts")).updateWebhook,
  "webhook delete": async () => (await import("./webhooks.ts")).deleteWebhook,
  "webhook pause": async () => (await import("./webhooks.ts")).pauseWebhook,
  "webhook resume": async () => (await import("./webhooks.ts")).resumeWebhook,
  "webhook test": async () => (await import("./webhooks.ts")).testWebhook,
  "webhook replay": async () => (await import("./webhooks.ts")).replayWebhook,
  "webhook deliveries": async () => (await import("./webhooks.ts")).listDeliveries,
  "webhook rotate-secret": async () => (await import("./webhooks.ts")).rotateWebhookSecret,
  "quota list": async () => (await import("./quotas.ts")).listQuotas,
  "quota show": async () => (await import("./quotas.ts")).showQuota,
  "quota set": async () => (await import("./quotas.ts")).setQuota,
  "quota remove": async () => (await import("./quotas.ts")).removeQuota,
  token: async () => (await import("./token.ts")).showToken,
  open: async () => (await import("./open.ts")).open,
  mirror: async () => (await import("./mirror/mirror.ts")).mirror,
  tail: async () => (await import("./tail.ts")).tail,
  login: async () => (await import("./login.ts")).login,
};

/** They also work on the catalog of a store that does not run. */
const ON_CATALOG: ReadonlySet<StoreCommandName> = new Set(["key create", "key list", "key revoke"]);

export async function runRemote(command: StoreCommandName, args: Arguments, context: CliContext): Promise<number> {
  const { values, operands } = args;
  const options = optionValues(values);
  const { text } = options;
  // `login URL` is short for `login --url URL`.
  const url = command === "login" ? (operands[0] ?? text("url")) : text(command === "mirror" ? "from" : "url");
  const connection = connect(command, { url, key: text("key") }, context);
  const stopping = new AbortController();
  const closed = context.outputClosed ?? new AbortController().signal;
  const signal = AbortSignal.any([stopping.signal, closed]);
  const unsubscribe = context.onStop(() => stopping.abort());
  const call: RemoteCall = {
    ...connection,
    ...options,
    command,
    operands,
    context,
    signal,
    async print(document, line) {
      context.out(args.json ? `${JSON.stringify(document)}\n` : `${line}\n`);
      await context.printed?.();
    },
  };
  try {
    const run = await COMMANDS[command]();
    return await run(call);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    // As in `image-store ls | head -1`.
    if (closed.aborted) return EXIT.ok;
    if (stopping.signal.aborted) {
      context.err("Interrupted. Run the command again to go on.\n");
      return EXIT.failed;
    }
    const { path } = error as { readonly path?: unknown };
    const place = typeof path === "string" ? `${path}: ` : "";
    const isGone = error instanceof StoreError && error.code === "unreachable";
    const hint = isGone && ON_CATALOG.has(command) ? " If the store is stopped, name its data folder with --data." : "";
    throw new Error(place + describeError(error, connection) + hint, { cause: error });
  } finally {
    unsubscribe();
  }
}
