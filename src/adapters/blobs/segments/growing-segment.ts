import { close } from "../../files/file-system.ts";
import { align, BLOCK_BYTES, newSegmentHeader } from "./format.ts";
import type { LiveStatsBySegment } from "./live-stats.ts";
import type { SegmentFiles } from "./segment-files.ts";
import type { OpenSegment } from "./writer.ts";

export interface GrowingSegmentDeps {
  readonly files: Pick<SegmentFiles, "prepare" | "ids" | "create" | "reopen">;
  readonly liveStats: Pick<LiveStatsBySegment, "count" | "set">;
  /** A segment is full at this many bytes. */
  readonly segmentBytes: number;
}

/** The only segment that is ever written to: the newest one if it ends cleanly and is not full, otherwise a new one. */
export interface GrowingSegment extends AsyncDisposable {
  /** Undefined before the first write, and between two segments. */
  readonly id: string | undefined;
  /** Resumes the newest segment of an earlier process. Before the first `open`. */
  recover(): Promise<void>;
  /** For the writer, which closes it. */
  open(): Promise<OpenSegment>;
  /** Nothing more will be written to it. */
  seal(): void;
}

export function createGrowingSegment({ files, liveStats, segmentBytes }: GrowingSegmentDeps): GrowingSegment {
  let growing: string | undefined;
  /** Found by the recovery, and not yet the writer's. */
  let recovered: OpenSegment | undefined;

  async function create(): Promise<OpenSegment> {
    const header = newSegmentHeader();
    growing = header.id;
    try {
      const segment = await files.create(header);
      liveStats.set(header.id, { records: 0, bytes: 0 });
      return segment;
    } catch (error) {
      growing = undefined;
      throw error;
    }
  }

  /** Undefined for a full segment, and one that a crash tore: it is not written to again, so the sweeper may clean it. */
  async function findEnd(id: string, size: number): Promise<number | undefined> {
    const { isTorn, ...found } = await liveStats.count(id);
    liveStats.set(id, found);
    const end = align(size, BLOCK_BYTES);
    return isTorn || end >= segmentBytes ? undefined : end;
  }

  return {
    get id() {
      return growing;
    },
    async recover() {
      await files.prepare();
      const newest = (await files.ids()).at(-1);
      if (newest === undefined) return;
      recovered = await files.reopen(newest, (size) => findEnd(newest, size));
      growing = recovered?.id;
    },
    async open() {
      const segment = recovered ?? (await create());
      recovered = undefined;
      return segment;
    },
    seal() {
      growing = undefined;
    },
    async [Symbol.asyncDispose]() {
      if (recovered !== undefined) await close(recovered.fd);
    },
  };
}
