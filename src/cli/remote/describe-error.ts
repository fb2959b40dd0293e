import { StoreError } from "../../../client/src/index.ts";
import type { Connection } from "./connection.ts";

/** The store that was asked. */
export interface Place extends Pick<Connection, "url" | "key"> {
  /** How to name another store, and to give a key. Default: as of the store that a command is for. */
  readonly advice?: { readonly url: string; readonly key: string };
}

const WHERE = 'Set the URL with --url, IMAGE_STORE_URL or "image-store login URL".';
export const GIVE_KEY = 'Give a key with --key, IMAGE_STORE_KEY or "image-store login URL --key KEY".';

const ADVICE = { url: WHERE, key: GIVE_KEY };

/** Statuses by which a proxy says that the store does not answer. */
const OF_PROXIES: ReadonlySet<number> = new Set([502, 503, 504]);
/** The message of a connection that broke in the middle of a response. */
export const LOST = "The connection was lost.";

/** One sentence about what failed, and one about what to do. */
export function describeError(error: unknown, { url, key, advice = ADVICE }: Place): string {
  if (!(error instanceof StoreError)) return describeLocalError(error);
  switch (error.code) {
    case "unreachable":
      if (error.message === LOST) return `The connection to the store at ${url} was lost.`;
      return `No store answers at ${url}. Is it running? ${advice.url}`;
    case "unexpected_response":
      if (OF_PROXIES.has(error.status))
        return `The store at ${url} does not answer: a proxy in front of it says ${responseOf(error)}. Try again later.`;
      return `Something other than an Image Store answers at ${url}: ${responseOf(error)}. ${advice.url}`;
    case "unauthorized":
      return key === undefined
        ? `The store at ${url} needs a key. ${advice.key}`
        : `The store at ${url} refuses the key. ${advice.key}`;
    case "forbidden":
      return `${key === undefined ? "Without a key" : "The key"} ${rightsOf(error)}. ${advice.key}`;
    case "cursor_unknown":
    case "cursor_expired":
      return `${error.message} Start again with --from oldest, or with --from latest for new events only.`;
    case "album_not_empty":
      return "The album has images. Delete them too with --recursive.";
    case "album_not_found":
      return `${error.message} "image-store ls" lists the albums that you may see.`;
    default:
      return error.message;
  }
}

const responseOf = ({ message, status }: StoreError): string =>
  /something else: (.*)\.$/.exec(message)?.[1] ?? `status ${status}`;

function rightsOf({ problem: { missing }, message }: StoreError): string {
  if (!Array.isArray(missing) || missing.length === 0) return `must not do this: ${message}`;
  const rights = missing.map((right) => `"${String(right)}"`).join(" and ");
  return `lacks the right ${rights}, which this needs`;
}

const LOCAL: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of its path is no folder",
  ELOOP: "its symbolic links form a loop",
  ENAMETOOLONG: "the file system cannot hold a name that long",
  EINVAL: "the file system cannot hold the name",
  EILSEQ: "the file system cannot hold the name",
  ENOSPC: "the disk is full",
  EDQUOT: "the quota of the disk is used up",
  EROFS: "the file system is read-only",
};

function describeLocalError(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  return (typeof code === "string" && LOCAL[code]) || (error instanceof Error ? error.message : String(error));
}

/** Later files would fail in the same way. */
export function isFatal(error: unknown): boolean {
  if (error instanceof StoreError)
    return ["unauthorized", "forbidden", "album_not_found", "insufficient_storage", "quota_exceeded"].includes(
      error.code,
    );
  if (!(error instanceof Error)) return false;
  const { code } = error as { readonly code?: unknown };
  return ["ENOSPC", "EDQUOT", "EROFS"].includes(String(code)) || isFatal(error.cause);
}
