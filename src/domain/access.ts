import { StoreError } from "./errors.ts";

/**
 * What a caller may do. Each route names the one that it needs.
 *
 * - `read`: records, listings, bytes, free variants.
 * - `write`: create, replace and edit.
 * - `delete`: delete images and albums.
 * - `transform`: variants beyond the presets and the listed widths.
 * - `share`: make signed links, tickets and shares, which give no more than their maker has.
 * - `events`: the log and its stream.
 * - `admin`: keys, quotas, cursors, metrics. It is of the store and of no album.
 */
export const RIGHTS = ["read", "write", "delete", "transform", "share", "events", "admin"] as const;
export type Right = (typeof RIGHTS)[number];

/**
 * What an operation needs: a right, or a part of one that a share may give alone. `add`, of `write`: to add images to an album.
 * `originals`, of `read`: to get images as they were uploaded, and not in variants only.
 */
export type Need = Right | "add" | "originals";

/** The right of which the need is all or a part. */
export const rightFor = (need: Need): Right => (need === "add" ? "write" : need === "originals" ? "read" : need);

/** What people call the rights that go together. */
export const ROLES: ReadonlyMap<string, readonly Right[]> = new Map([
  ["viewer", ["read", "transform"]],
  ["uploader", ["write"]],
  ["editor", ["read", "write", "delete", "transform", "share", "events"]],
]);

/** How a client is known: {@link Caller} says what each means. */
export type CallerKind = "local" | "anonymous" | "key" | "token" | "session" | "link" | "ticket" | "share";

export interface ApiKey {
  /** The principal. */
  readonly name: string;
  readonly rights: ReadonlySet<Right>;
  /** Of the key, in lower-case hex. The key itself is kept nowhere. */
  readonly sha256: string;
}

/** Addresses that begin alike, as `10.0.0.0/8` or `fd00::/8` writes them. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
}

/** What a caller must not do because it lacks a right; the answer names the right. */
export const forbidden = (need: Need, message: string): StoreError =>
  new StoreError("forbidden", message, { members: { missing: [rightFor(need)] } });
