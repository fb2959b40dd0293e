import { type DiskReadCounter, openDiskReadCounter } from "./disk-reads.ts";

/** Knows whether reads of the catalog wait for the disk, because its pages are not in memory. */
export interface ColdDetector {
  /** Whether reads belong on threads. */
  isCold(): boolean;
  /** Runs a statement on the main thread. */
  watch<Value>(statement: () => Value): Value;
  /** Called for each statement that ran on another thread. */
  note(readDisk: boolean): void;
}

/** A hot read takes some 10 µs, and a disk some 100. */
const SLOW_MS = 0.1;
/** A clock costs up to a tenth of a hot read, so one statement of so many is timed. */
const TIMED = 8;
/**
 * Statements after a slow one of which the system is asked whether they read the disk, which costs more than the clock. Many are
 * slow because they read much.
 */
const SUSPECTS = 100;
/** Statements in a row that have to find all in memory until reads are back on the main thread. */
const ALL_IN_MEMORY = 1000;

/** @param diskReads null: the catalog never counts as cold */
export function createColdDetector(diskReads: DiskReadCounter | null = openDiskReadCounter()): ColdDetector {
  let untimed = 0;
  let suspects = 0;
  let coldFor = 0;

  const note = (readDisk: boolean) => {
    if (readDisk) coldFor = ALL_IN_MEMORY;
    else if (coldFor > 0) coldFor--;
  };

  const time = <Value>(statement: () => Value): Value => {
    const startedAt = performance.now();
    const value = statement();
    if (performance.now() - startedAt > SLOW_MS) suspects = SUSPECTS;
    return value;
  };

  return {
    isCold: () => coldFor > 0,
    watch(statement) {
      if (suspects === 0 || diskReads === null) {
        untimed = (untimed + 1) % TIMED;
        return untimed === 0 ? time(statement) : statement();
      }
      suspects--;
      const before = diskReads();
      const value = statement();
      note(diskReads() > before);
      return value;
    },
    note,
  };
}
