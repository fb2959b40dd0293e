import { setTimeout as sleep } from "node:timers/promises";
import { contentExtentOf, ownedExtentOf, without } from "../../adapters/blobs/extent.ts";
import { BytesChanged, type Quarantine, type QuarantineNote } from "../../adapters/blobs/quarantine.ts";
import type { BlobMove } from "../../domain/blob.ts";
import type { BlobRow, Extent } from "../../ports.ts";
import { DamagedBytes } from "../blob-damage.ts";
import { findBlob, whileHeld } from "../store.ts";
import { type CheckOptions, type CheckResult, checkHeldStore, type Finding, pagesOf } from "./check-store.ts";
import { type HealOptions, heal, lookForBytes } from "./heal-blob.ts";

import { type BackupBytes, lookAt, type RawBytes, readExtent } from "./raw-bytes.ts";

export interface RepairOptions extends CheckOptions, Omit<HealOptions, "catalog" | "quarantine"> {
  readonly quarantine: Quarantine;
  /** Source of bytes that the store has lost. */
  readonly backup?: Pick<BackupBytes, "find"> | undefined;
  readonly tell: (repair: Repair) => void;
}

/** The result of repairing a finding. */
export type Repair =
  | { readonly kind: "healed"; readonly row: BlobRow; readonly images: readonly string[] }
  | { readonly kind: "unhealed"; readonly row: BlobRow; readonly images: readonly string[]; readonly reason: string }
  | { readonly kind: "quarantined"; readonly extent: Extent; readonly size: number }
  | { readonly kind: "lost"; readonly extent: Extent; readonly reason: string };

export interface RepairResult extends CheckResult {
  readonly healed: number;
  readonly unhealed: number;
  readonly quarantined: number;
  /** Number of places whose bytes could not be copied. */
  readonly lost: number;
  /** Counters that were corrected. */
  readonly recounted: number;
  /** Recorded CRC-32s that were corrected. */
  readonly checksummed: number;
}

type Damaged = Extract<Finding, { kind: "damaged" }>;

/** Longer than a server needs to finish a write and its record. */
const WRITTEN_AFTER_MS = 500;
/** Moves or checksums of one change. */
const MOVES = 500;

/**
 * Checks the store, copies bytes without a record and doubtful bytes to quarantine, and heals images whose bytes are intact elsewhere.
 * It removes nothing; it replaces only damaged files of single images, after their bytes are in quarantine. It may be interrupted at
 * any point and run again.
 * @throws StoreError if the catalog or the blob store does not respond; `insufficient_storage` if the disk is full
 */
export async function repairStore(options: RepairOptions): Promise<RepairResult> {
  const { catalog, report } = options;
  const counts = { healed: 0, unhealed: 0, quarantined: 0, lost: 0 };
  const tell = (repair: Repair) => {
    counts[repair.kind]++;
    options.tell(repair);
  };

  const healing = new Map<string, Damaged & { move: BlobMove }>();
  const findings: Finding[] = [];
  const result = await whileHeld(catalog, "repair", async () => {
    const checked = await checkHeldStore({
      ...options,
      report(finding) {
        findings.push(finding);
        report(finding);
      },
    });
    const steps = { ...options, tell };
    await quarantineUnowned(steps, findings);
    for (const finding of findings) {
      if (finding.kind !== "damaged") continue;
      const move = await repairDamaged(steps, finding, findings);
      if (move !== undefined) healing.set(move.key, { ...finding, move });
    }
    return checked;
  });
  // After the hold, which forbids moves.
  await recordMoves({ ...options, tell }, healing);
  const { corrected } = result.miscounted === 0 ? { corrected: 0 } : await catalog.write({ type: "recountUsage" });
  return { ...result, ...counts, recounted: corrected, checksummed: await recordChecksums(catalog, findings) };
}

async function recordChecksums(catalog: RepairOptions["catalog"], findings: readonly Finding[]): Promise<number> {
  const wrong = findings.flatMap((finding) =>
    finding.kind === "checksum" && finding.row.crc32 !== null
      ? [{ key: finding.row.key, crc32: finding.crc32, was: finding.row.crc32 }]
      : [],
  );
  let corrected = 0;
  for (let start = 0; start < wrong.length; start += MOVES) {
    const blobs = wrong.slice(start, start + MOVES);
    corrected += (await catalog.write({ type: "recordChecksums", blobs })).recorded;
  }
  return corrected;
}

async function quarantineUnowned(options: RepairOptions, findings: readonly Finding[]): Promise<void> {
  for (const finding of findings) {
    if (finding.kind !== "unrecorded") continue;
    const { key, location } = finding.blob;
    const extent = contentExtentOf(options.blobsFolder, location);
    if (extent !== undefined) await lookAndKeep(options, extent, { reason: "no record has it", key });
  }
  const unreadable = findings.flatMap((finding) => (finding.kind === "unreadable" ? [finding.bytes.extent] : []));
  if (unreadable.length === 0) return;
  await sleep(WRITTEN_AFTER_MS);
  const owned = await ownedIn(options, new Set(unreadable.map(({ path }) => path)));
  for (const extent of unreadable)
    for (const part of without(extent, owned.get(extent.path) ?? []))
      await lookAndKeep(options, part, { reason: "torn by a crash, or damaged" });
}

/** The extents that records own in these files, sorted. A damaged header does not make the bytes of its record unowned. */
async function ownedIn({ catalog, blobsFolder }: RepairOptions, paths: ReadonlySet<string>) {
  const owned = new Map<string, Extent[]>();
  for await (const rows of pagesOf(catalog)) {
    for (const { location } of rows) {
      const extent = ownedExtentOf(blobsFolder, location);
      if (extent === undefined || !paths.has(extent.path)) continue;
      const others = owned.get(extent.path);
      if (others === undefined) owned.set(extent.path, [extent]);
      else others.push(extent);
    }
  }
  for (const extents of owned.values()) extents.sort((one, other) => one.offset - other.offset);
  return owned;
}

/** Returns the move that the catalog must record to heal the image; undefined if none is needed. */
async function repairDamaged(
  options: RepairOptions,
  { row, images, reason }: Damaged,
  findings: readonly Finding[],
): Promise<BlobMove | undefined> {
  const withoutRecord = findings.flatMap((finding) => ("blob" in finding ? [finding.blob] : []));
  const found = await lookForBytes(options, row, withoutRecord);
  // Other damaged blobs have findings of their own.
  const doubtful = found.filter(({ key, sha256 }) => key === row.key && sha256 !== row.sha256);
  for (const bytes of doubtful) await keep(options, bytes, { reason, key: row.key, images });
  const isIntact = ({ sha256, size }: RawBytes) => sha256 === row.sha256 && size === row.size;
  const kept = found.find(isIntact) ?? (await options.backup?.find(row));
  const intact = kept !== undefined && isIntact(kept) ? kept : undefined;
  if (intact === undefined) {
    const places = options.backup === undefined ? "" : ", and not intact in the backup";
    options.tell({ kind: "unhealed", row, images, reason: `its bytes are nowhere else${places}` });
    return undefined;
  }
  const healed = await heal(options, row, intact);
  if (healed.kind === "impossible") options.tell({ kind: "unhealed", row, images, reason: healed.reason });
  else if (healed.move === undefined) options.tell({ kind: "healed", row, images });
  else return healed.move;
  return undefined;
}

async function lookAndKeep(options: RepairOptions, extent: Extent, note: QuarantineNote): Promise<void> {
  try {
    await keep(options, await lookAt(extent), note);
  } catch (error) {
    if (!(error instanceof DamagedBytes)) throw error;
    options.tell({ kind: "lost", extent, reason: error.message });
  }
}

async function keep(options: RepairOptions, bytes: RawBytes, note: QuarantineNote): Promise<void> {
  const { extent, sha256, size, isEmpty } = bytes;
  if (isEmpty) return;
  const source = async function* () {
    await options.takeSpace(size);
    yield* readExtent(extent);
  };
  try {
    const added = await options.quarantine.add({ extent, sha256, source }, note);
    if (added !== undefined) options.tell({ kind: "quarantined", extent, size: added });
  } catch (error) {
    if (!(error instanceof DamagedBytes || error instanceof BytesChanged)) throw error;
    options.tell({ kind: "lost", extent, reason: error.message });
  }
}

async function recordMoves(options: RepairOptions, healing: ReadonlyMap<string, Damaged & { move: BlobMove }>) {
  const { catalog, tell } = options;
  const moves = [...healing.values()].map(({ move }) => move);
  for (let start = 0; start < moves.length; start += MOVES) {
    const batch = moves.slice(start, start + MOVES);
    const moved = new Set((await catalog.write({ type: "moveBlobs", moves: batch })).moved);
    for (const { key, from } of batch) {
      const { row, images } = healing.get(key) as Damaged;
      if (moved.has(key)) tell({ kind: "healed", row, images });
      else if ((await findBlob(catalog, key))?.location === from)
        tell({ kind: "unhealed", row, images, reason: "a backup or another check holds the store" });
      // Otherwise the image was deleted or replaced meanwhile.
    }
  }
}
