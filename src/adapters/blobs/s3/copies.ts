import { CopyObjectCommand } from "@aws-sdk/client-s3";
import { createLimit } from "../../../concurrency/limit.ts";
import type { StagedCopy } from "../../../ports.ts";
import { damaged } from "../../files/file-reader.ts";
import { newKey } from "../files.ts";
import type { S3 } from "./client.ts";
import { isMissing } from "./errors.ts";
import { locationOf, newObjectName } from "./object-name.ts";
import { patienceFor, verifyObject } from "./sending.ts";

/** Copies that the object store makes: no byte comes through this process. */
export interface Copies {
  readonly stage: (from: string, original: Pick<StagedCopy, "size" | "sha256">) => StagedCopy;
  /** Undefined where the key is not of a copy. The object is complete when it resolves. */
  readonly commit: (key: string) => Promise<string> | undefined;
  /** Returns whether the key is of a copy. */
  readonly discard: (key: string) => boolean;
}

export interface CopiesOptions {
  readonly prefix: string;
  readonly commitWithin: number;
  /** Keys that the listing leaves out. */
  readonly unreleased: Set<string>;
}

const REQUESTS_AT_ONCE = 32;
/** An object store copies faster than bytes are sent to it, but it may have gigabytes to copy. */
const RATE = 16;

export function createCopies(s3: S3, { prefix, commitWithin, unreleased }: CopiesOptions): Copies {
  const limited = createLimit(REQUESTS_AT_ONCE);
  const staged = new Map<string, { readonly from: string; readonly copy: StagedCopy }>();

  async function send(from: string, { key, size, sha256 }: StagedCopy): Promise<string> {
    const name = newObjectName(key, false);
    const until = performance.now() + commitWithin;
    const command = {
      Bucket: s3.bucket,
      Key: prefix + name.name,
      CopySource: [s3.bucket, ...from.split("/")].map(encodeURIComponent).join("/"),
    };
    await limited(() =>
      s3.try(
        (client, { signal }) => client.send(new CopyObjectCommand(command), { abortSignal: signal }),
        patienceFor(size / RATE, until),
        (error) => (isMissing(error) ? damaged(error) : undefined),
      ),
    );
    await verifyObject(s3, command.Key, { size, sha256, until });
    return locationOf(name);
  }

  return {
    stage(from, { size, sha256 }) {
      const key = newKey(sha256);
      const copy = { key, location: locationOf(newObjectName(key, false)), size, sha256 };
      staged.set(key, { from, copy });
      unreleased.add(key);
      return copy;
    },
    commit(key) {
      const found = staged.get(key);
      if (found === undefined) return undefined;
      staged.delete(key);
      return send(found.from, found.copy).catch((error: unknown) => {
        unreleased.delete(key);
        throw error;
      });
    },
    discard(key) {
      if (!staged.delete(key)) return false;
      unreleased.delete(key);
      return true;
    },
  };
}
