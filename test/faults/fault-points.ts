import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { FaultPoint, Place, TracedCall } from "./tracer.ts";

/**
 * The points of an operation, from the syncs of a run without faults. The next run's temporary file and shard folder
 * have other names, and any thread of a pool may sync them: there the first call at that place is the point.
 */
export function faultPoints(syncs: readonly TracedCall[]): FaultPoint[] {
  const points = new Map<string, FaultPoint>();
  const catalogCalls = new Map<string, number>();
  for (const { call, path } of syncs) {
    const place = placeOf(path);
    let point: FaultPoint;
    if (place === "catalog") {
      const nth = (catalogCalls.get(path) ?? 0) + 1;
      catalogCalls.set(path, nth);
      point = { place, call, paths: [path], nth };
    } else {
      point = { place, call, paths: place === "folder" ? siblings(path) : [], nth: 1 };
    }
    points.set(JSON.stringify(point), point);
  }
  return [...points.values()];
}

function placeOf(path: string): Place {
  if (basename(path).includes(".sqlite")) return "catalog";
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? "folder" : "bytes";
}

const siblings = (folder: string): string[] => readdirSync(dirname(folder)).map((name) => join(dirname(folder), name));
