import { Database } from "bun:sqlite";
import type { BigIntStats } from "node:fs";
import { mkdir, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { CliContext } from "../context.ts";

/** `null`: the file is no image. */
export type KnownDigest = string | null;

/** Digests of files that were read before, so that a later run reads none of them. It may be lost or deleted at any time. */
export interface Digests extends Disposable {
  /** undefined if the file is new, or is not as it was. */
  find(name: string, stats: BigIntStats): KnownDigest | undefined;
  /** `isOwn`: this process has just written the file. */
  keep(name: string, stats: BigIntStats, digest: KnownDigest, isOwn?: boolean): void;
}

/** Rows of a transaction, and after how many milliseconds it begins with fewer. Few large ones write fewer pages. */
const BATCH = { rows: 5000, after: 2000 };
/** A change so soon after another may leave the times of a file as they were: times of file systems are coarse. */
const FINE_MS = 20;
const COARSE_MS = 2000;
const SECOND_NS = 1_000_000_000n;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS folders (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS digests (
    folder INTEGER NOT NULL, name TEXT NOT NULL, stamp TEXT NOT NULL, sha256 TEXT, PRIMARY KEY (folder, name)
  ) WITHOUT ROWID`;

export async function openDigests(env: CliContext["env"], folder: string): Promise<Digests> {
  const digests = await openStamped(env, await realpath(folder).catch(() => resolve(folder)));
  return {
    find: (name, stats) => digests.find(name, stampOf(stats)),
    keep(name, stats, digest, isOwn = false) {
      if (isOwn || isSettled(stats)) digests.keep(name, stampOf(stats), digest);
    },
    [Symbol.dispose]: () => digests[Symbol.dispose](),
  };
}

/** Digests of what is not in a folder. The stamp changes with the bytes. */
export interface StampedDigests extends Disposable {
  find(name: string, stamp: string): KnownDigest | undefined;
  keep(name: string, stamp: string, digest: KnownDigest): void;
}

/** @param path an absolute path, or a URL */
export async function openStamped(env: CliContext["env"], path: string): Promise<StampedDigests> {
  const database = await openDatabase(env);
  const { id } = database
    .query<{ id: number }, [string]>(
      "INSERT INTO folders (path) VALUES (?) ON CONFLICT (path) DO UPDATE SET path = path RETURNING id",
    )
    .get(path) as { id: number };
  const select = database.query<{ stamp: string; sha256: KnownDigest }, [number, string]>(
    "SELECT stamp, sha256 FROM digests WHERE folder = ? AND name = ?",
  );
  const replace = database.query("INSERT OR REPLACE INTO digests (folder, name, stamp, sha256) VALUES (?, ?, ?, ?)");
  const isNew = database.query("SELECT 1 FROM digests WHERE folder = ? LIMIT 1").get(id) === null;
  let writtenAt = performance.now();
  let waiting: [name: string, stamp: string, digest: KnownDigest][] = [];
  function write(): void {
    // In the order of the table, so that no page of it is written twice.
    const batch = waiting.sort(([one], [other]) => (one < other ? -1 : 1));
    waiting = [];
    writtenAt = performance.now();
    try {
      database.transaction(() => batch.forEach(([name, stamp, digest]) => replace.run(id, name, stamp, digest)))();
    } catch {
      // Another run has it locked, or the disk is full: these files are read again next time.
    }
  }
  return {
    find(name, stamp) {
      if (isNew) return undefined;
      const row = select.get(id, name);
      return row?.stamp === stamp ? row.sha256 : undefined;
    },
    keep(name, stamp, digest) {
      waiting.push([name, stamp, digest]);
      if (waiting.length >= BATCH.rows || performance.now() - writtenAt >= BATCH.after) write();
    },
    [Symbol.dispose]() {
      write();
      database.close();
    },
  };
}

const stampOf = ({ size, mtimeNs, ctimeNs, ino }: BigIntStats): string => `${size} ${mtimeNs} ${ctimeNs} ${ino}`;

function isSettled({ ctimeMs, ctimeNs, mtimeNs }: BigIntStats): boolean {
  const isCoarse = ctimeNs % SECOND_NS === 0n || mtimeNs % SECOND_NS === 0n;
  return Date.now() - Number(ctimeMs) > (isCoarse ? COARSE_MS : FINE_MS);
}

/** In the user's cache folder. Where there is none, a temporary database, which is in memory. */
async function openDatabase(env: CliContext["env"]): Promise<Database> {
  const folder = join(env["XDG_CACHE_HOME"] || join(env["HOME"] || homedir(), ".cache"), "image-store");
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return prepare(new Database(join(folder, "digests.db")));
  } catch {
    return prepare(new Database(""));
  }
}

function prepare(database: Database): Database {
  database.run("PRAGMA busy_timeout = 5000");
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = NORMAL");
  database.run(SCHEMA);
  return database;
}
