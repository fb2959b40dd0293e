import { type Signal, signal } from "@preact/signals";
import type { Album } from "../../client/src/index.ts";

export type Status =
  | "waiting"
  | "checking"
  | "sending"
  | "done"
  /** The album has these very bytes already. */
  | "present"
  /** Another picture has the name; the person decides. */
  | "taken"
  | "skipped"
  | "failed";

/** What to do where the album has a picture of the name. */
export type IfTaken = "keep" | "replace" | "keep-both";

export interface UploadItem {
  readonly id: number;
  readonly file: File;
  readonly album: Pick<Album, "id" | "name">;
  readonly status: Signal<Status>;
  /** Bytes. */
  readonly sent: Signal<number>;
  readonly error: Signal<unknown>;
  ifTaken: IfTaken | undefined;
  /** SHA-256; undefined until it is known, or where the browser can't tell. */
  digest: string | undefined;
  cancel: AbortController | undefined;
}

let last = 0;

export const createItem = (file: File, album: Pick<Album, "id" | "name">): UploadItem => {
  last += 1;
  return {
    id: last,
    file,
    album,
    status: signal<Status>("waiting"),
    sent: signal(0),
    error: signal<unknown>(undefined),
    ifTaken: undefined,
    digest: undefined,
    cancel: undefined,
  };
};

const OVER: ReadonlySet<Status> = new Set(["done", "present", "skipped", "failed"]);

export const isOver = ({ status }: UploadItem): boolean => OVER.has(status.value);
