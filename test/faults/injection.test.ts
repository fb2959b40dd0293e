import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "../waiting.ts";
import { faultPoints } from "./fault-points.ts";
import { createLedger, type Entry, type Ledger, type Outcome } from "./ledger.ts";
import { awaitSweep } from "./leftovers.ts";
import { createRequests, type Requests } from "./requests.ts";
import { canMakeFaults } from "./requirements.ts";
import { type ServerProcess, startServer } from "./server-process.ts";
import { makeTemporaryFolder, removeLeftovers, removeTemporaryFolders } from "./temporary-folder.ts";
import type { FaultPoint, Place } from "./tracer.ts";
import { attachTracer, type Fault, injectFault } from "./tracer.ts";
import { verify } from "./verify.ts";

const IOERR_EXIT_CODE = 70;

interface Subject {
  readonly requests: Requests;
  /** An album with the image `first.png`. */
  readonly album: Entry;
  /** No album yet. */
  readonly spare: Entry;
}
type Operation = (subject: Subject) => Promise<Outcome>;

const UPLOAD = ["bytes", "catalog"] as const;
interface Case {
  readonly name: string;
  readonly syncs: readonly Place[];
  readonly operate: Operation;
  readonly env?: Readonly<Record<string, string>>;
}
const OPERATIONS: readonly Case[] = [
  { name: "creating an album", syncs: ["catalog"], operate: ({ requests, spare }) => requests.createAlbum(spare) },
  { name: "an upload", syncs: UPLOAD, operate: ({ requests, album }) => requests.upload(album) },
  {
    name: "an upload into a file of its own",
    env: { IMAGE_STORE_SMALL_IMAGE: "0" },
    syncs: ["bytes", "folder", "catalog"],
    operate: ({ requests, album }) => requests.upload(album),
  },
  { name: "an upload of three files", syncs: UPLOAD, operate: ({ requests, album }) => requests.uploadThree(album) },
  {
    name: "replacing an image",
    syncs: UPLOAD,
    operate: ({ requests, album }) => requests.replaceImage(album, "first.png"),
  },
  {
    name: "renaming an image",
    syncs: ["catalog"],
    operate: ({ requests, album }) => requests.renameImage(album, "first.png"),
  },
  {
    name: "deleting an image",
    syncs: ["catalog"],
    operate: ({ requests, album }) => requests.deleteImage(album, "first.png"),
  },
  { name: "deleting an album", syncs: ["catalog"], operate: ({ requests, album }) => requests.deleteAlbum(album) },
];

beforeAll(removeLeftovers);
afterAll(removeTemporaryFolders);

describe.skipIf(!canMakeFaults("strace"))("EIO and SIGKILL at each sync of a request", () => {
  test.each(OPERATIONS)("$name", async ({ name, syncs, operate, env = {} }) => {
    // With the long default grace nothing but the operation writes.
    const options = { dataFolder: makeTemporaryFolder(), env };
    const ledger = createLedger();
    let server = await startServer(options);
    try {
      const points = await dryRun(server, ledger, operate);
      expect(points.map((point) => point.place)).toEqual([...syncs]);

      for (const [point, fault] of points.flatMap((each) => [[each, "EIO"] as const, [each, "SIGKILL"] as const])) {
        const subject = await prepare(server, ledger);
        const struck = await strike(server, subject, operate, point, fault);
        expect({ point, fault, ...struck }).toEqual({ point, fault, ...expectedOf(point, fault) });
        if (struck.exit !== undefined) server = await startServer(options);

        const { album, spare } = subject;
        const before = [album.certain, spare.certain];
        expect({ point, fault, problems: await verify(server.url, ledger, options) }).toEqual({
          point,
          fault,
          problems: [],
        });
        // Bytes come before the record, so until the catalog is reached nothing has changed.
        if (point.place !== "catalog") expect([album.certain, spare.certain]).toEqual(before);
        console.log(`${name}: ${fault} at ${point.call} ${point.nth} of the ${point.place}: ${struck.outcome}`);
      }
    } finally {
      await server.stop("SIGKILL");
    }

    const sweeping = { ...options, env: { IMAGE_STORE_GRACE: "1s" } };
    await using last = await startServer(sweeping);
    await awaitSweep(last.url, `${options.dataFolder}/blobs`);
    expect(await verify(last.url, ledger, sweeping)).toEqual([]);
  });
});

async function dryRun(server: ServerProcess, ledger: Ledger, operate: Operation): Promise<FaultPoint[]> {
  const subject = await prepare(server, ledger);
  const tracer = await attachTracer(server.pid);
  expect(await operate(subject)).toBe("acknowledged");
  return faultPoints(await tracer.detach());
}

async function prepare(server: ServerProcess, ledger: Ledger): Promise<Subject> {
  const requests = createRequests(server.url, ledger, { maxImageBytes: 100_000 });
  const album = ledger.open(`album-${ledger.entries.size}`);
  const spare = ledger.open(`album-${ledger.entries.size}`);
  expect(await requests.createAlbum(album)).toBe("acknowledged");
  expect(await requests.upload(album, "first.png")).toBe("acknowledged");
  return { requests, album, spare };
}

interface Struck {
  readonly injected: boolean;
  readonly outcome: Outcome;
  readonly exit: number | NodeJS.Signals | undefined;
}

async function strike(
  server: ServerProcess,
  subject: Subject,
  operate: Operation,
  point: FaultPoint,
  fault: Fault,
): Promise<Struck> {
  const tracer = await attachTracer(server.pid, injectFault(fault, point));
  const outcome = await operate(subject);
  const ends = expectedOf(point, fault).exit !== undefined;
  const exit = ends ? await Promise.race([server.exited, sleep(PATIENCE_MS, undefined)]) : undefined;
  const syncs = await tracer.detach();
  return { injected: syncs.some((sync) => sync.injected), outcome, exit };
}

/** A failed sync of bytes costs that request; after one of the catalog only a restart can tell what is there. */
function expectedOf(point: FaultPoint, fault: Fault): Struck {
  if (fault === "SIGKILL") return { injected: true, outcome: "unanswered", exit: "SIGKILL" };
  return { injected: true, outcome: "failed", exit: point.place === "catalog" ? IOERR_EXIT_CODE : undefined };
}
