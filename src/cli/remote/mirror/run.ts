import type { Client, Image } from "../../../../client/src/index.ts";
import { StoreError } from "../../../../client/src/index.ts";
import { StoreError as LocalError } from "../../../domain/errors.ts";
import type { MirrorState } from "./state.ts";
import type { MirrorTarget, ReceivedBytes } from "./target.ts";

/** A mirror at work. */
export interface MirrorRun<Bytes extends ReceivedBytes = ReceivedBytes> {
  readonly source: Client;
  readonly target: MirrorTarget<Bytes>;
  readonly state: MirrorState;
  readonly report: MirrorReport;
  /** Aborted when the user stops the command. */
  readonly signal: AbortSignal;
}

/** In what the target was not like the source. */
export type Difference = "missing" | "bytes" | "fields" | "album" | "extra" | "order";

export interface MirrorReport {
  /** The target was made like the source in this. */
  changed(kind: "album" | "image", difference: Difference, name: string): void;
  /** So many bytes came from the source. */
  received(bytes: number): void;
  /** The image is not in the target: the others go on. */
  failed(name: string, error: unknown): void;
}

/** Of either side: the store and the catalog have errors of their own classes. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof StoreError || error instanceof LocalError ? error.code : undefined;

const GAPS: ReadonlySet<string | undefined> = new Set(["cursor_expired", "cursor_unknown"]);
/** Events between the last one that was read and the next are gone. */
export const isGap = (error: unknown): boolean => GAPS.has(codeOf(error));

const PASSING: ReadonlySet<string | undefined> = new Set(["unreachable", "busy", "unavailable"]);
/** By which a proxy says that the store does not answer. */
const OF_PROXIES: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** It may go away by itself, as when a side restarts. */
export const isPassing = (error: unknown): boolean =>
  PASSING.has(codeOf(error)) ||
  (error instanceof StoreError &&
    (OF_PROXIES.has(error.status) || error.code === "internal") &&
    error.code !== "blob_damaged");

const REFUSALS: ReadonlySet<string | undefined> = new Set([
  "too_large",
  "unsupported_image",
  "invalid_image",
  "image_too_large",
  "empty_body",
  "blob_damaged",
]);
/** Something is wrong with this image, on either side, and not with others. */
export const isOfImage = (error: unknown): boolean => REFUSALS.has(codeOf(error));

export const pathOf = ({ album, name }: Pick<Image, "album" | "name">): string => `${album}/${name}`;
