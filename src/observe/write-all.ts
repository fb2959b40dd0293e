import { write } from "node:fs";

/**
 * Everything, in order; nothing when the reader is gone. Neither `process.stdout` nor `Bun.write` does for a pipe: the
 * one says that it is done too early, the other writes the beginning again once the pipe was full.
 */
export async function writeAll(fd: number, bytes: Buffer): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) {
    const result = await writeSome(fd, rest);
    if (result === "full") await Bun.sleep(10);
    else if (result === "closed") return;
    else rest = rest.subarray(result);
  }
}

/** A pipe whose reader is behind answers EAGAIN; one whose reader is gone must not end the store. */
const writeSome = (fd: number, bytes: Buffer): Promise<number | "full" | "closed"> =>
  new Promise((resolve) => {
    write(fd, bytes, (error, written) => {
      if (error === null) resolve(written);
      else resolve(error.code === "EAGAIN" ? "full" : "closed");
    });
  });
