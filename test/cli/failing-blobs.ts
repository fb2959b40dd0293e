import type { BlobStore } from "../../src/ports.ts";

/** On a disk that gives the beginning of larger blobs and no more, as no adapter sees it. */
export const failingBeyond = (size: number, blobs: BlobStore): BlobStore => ({
  ...blobs,
  async read(location, what) {
    if (what.size <= size) return blobs.read(location, what);
    const error = Object.assign(new Error("EIO: i/o error, read"), { code: "EIO", syscall: "read" });
    return new ReadableStream({ pull: (controller) => controller.error(error) });
  },
});
