import { StoreError } from "../domain/errors.ts";

/**
 * A budget of bytes for uploads on their way to files. It can't be counted exactly, since the runtime takes up to 1.5 MiB
 * from a connection before they are asked for, and copies what it collects; so each upload counts with what it may hold.
 * An upload that was slow and may not hold more yet leaves its client waiting.
 */
export interface UploadMemory {
  /**
   * @param size of the upload in bytes; undefined where it says none
   * @throws StoreError `busy` when so much is not left
   */
  reserve(size: number | undefined): UploadReservation;
  /**
   * For a body that is gathered in memory: it counts with all its bytes until it is disposed of.
   * @throws StoreError `busy` when so much is not left
   */
  hold(bytes: number): Disposable;
}

/** The share of one upload, until it is disposed of. */
export interface UploadReservation extends Disposable {
  /** Resolves when the next chunk may be taken; undefined: at once. */
  makeRoom(): Promise<void> | undefined;
  /** A chunk of so many bytes came. Those of a slow client are small, and so is what it holds from then on. */
  took(bytes: number): void;
  /** No chunk has come for {@link IDLE_MS}. */
  idles(): void;
}

const MEBIBYTE = 1024 * 1024;
/** A chunk that is being written, and as much that came meanwhile. */
const FAST_UPLOAD = 3 * MEBIBYTE;
/** As much as the runtime takes of a slow upload whose client becomes fast, while the upload waits for room. */
const SLOW_UPLOAD = 1.5 * MEBIBYTE;
/** Larger chunks are what the runtime has collected: the client is faster than the store. */
const SLOW_CHUNK = MEBIBYTE / 2;
/** How long an upload is watched before it counts as slow, in milliseconds. A starved client must not look like a slow one. */
export const IDLE_MS = 5000;

interface Waiting {
  readonly bytes: number;
  start(): void;
}

export function createUploadMemory(budget: number): UploadMemory {
  const waiting = new Set<Waiting>();
  let reserved = 0;
  /** Uploads that count in full. */
  let grown = 0;

  /** Where all uploads are slow ones, one of them may grow, whatever is left. */
  const fits = (bytes: number) => grown === 0 || reserved + bytes <= budget;

  function startWaiting(): void {
    for (const upload of waiting) {
      if (!fits(upload.bytes)) return;
      waiting.delete(upload);
      upload.start();
    }
  }

  /** Uploads that wait to grow go first. A budget below one upload still lets one through. */
  function requireRoom(bytes: number): void {
    if (waiting.size > 0 || (reserved > 0 && reserved + bytes > budget))
      throw new StoreError("busy", "Too much is being uploaded at once; try again soon.");
  }

  return {
    hold(bytes) {
      requireRoom(bytes);
      reserved += bytes;
      let isDisposed = false;
      return {
        [Symbol.dispose]() {
          if (isDisposed) return;
          isDisposed = true;
          reserved -= bytes;
          startWaiting();
        },
      };
    },
    reserve(size = FAST_UPLOAD) {
      const most = Math.min(2 * size, FAST_UPLOAD);
      const least = Math.min(most, SLOW_UPLOAD);
      requireRoom(most);
      const growing: Waiting & { start: () => void } = { bytes: most - least, start() {} };
      let own = 0;
      let largest = 0;
      let isLarge = false;
      let isDisposed = false;
      let since = performance.now();
      const set = (bytes: number) => {
        if (isDisposed) return;
        grown += Number(bytes > 0 && bytes === most) - Number(own > 0 && own === most);
        reserved += bytes - own;
        own = bytes;
      };
      set(most);
      const shrink = (bytes: number) => {
        set(bytes);
        startWaiting();
      };
      return {
        makeRoom() {
          if (own === most || !isLarge) return undefined;
          if (waiting.size === 0 && fits(growing.bytes)) {
            set(most);
            return undefined;
          }
          return new Promise((resolve) => {
            growing.start = () => {
              set(most);
              resolve();
            };
            waiting.add(growing);
          });
        },
        took(bytes) {
          isLarge = bytes > SLOW_CHUNK;
          largest = Math.max(largest, bytes);
          const now = performance.now();
          if (now - since < IDLE_MS) return;
          if (largest <= SLOW_CHUNK) shrink(least);
          [largest, since] = [0, now];
        },
        idles: () => shrink(least),
        [Symbol.dispose]() {
          set(0);
          isDisposed = true;
          if (waiting.delete(growing)) growing.start();
          startWaiting();
        },
      };
    },
  };
}
