import type { TestStore } from "../http/harness.ts";
import { drawPhoto } from "./drawings.ts";

export interface SeedOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** The pictures are taken on as many days, the first of them on 2026-07-01. Default: one picture a day. */
  readonly days?: number;
  /** What the drawings begin at, so that two albums have others. Default: 0. */
  readonly first?: number;
}

const DAY = 86_400_000;
const HOUR = 3_600_000;
const BEGIN = Date.parse("2026-07-01T08:00:00Z");

/** An album of drawn pictures `photo-001.jpg` and so on. Returns its path. */
export async function seedAlbum(
  store: TestStore,
  name: string,
  count: number,
  { headers = {}, days = count, first = 0 }: SeedOptions = {},
): Promise<string> {
  const created = await store.send("POST", "/v1/albums", { name }, headers);
  if (created.status !== 201) throw new Error(`${name}: ${await created.text()}`);
  const album = `/v1/albums/${encodeURIComponent(name)}`;
  for (let index = 0; index < count; index++) {
    const takenAt = new Date(BEGIN + Math.floor((index * days) / count) * DAY + (index % 8) * HOUR);
    const body = await drawPhoto(first + index, { takenAt });
    const path = `${album}/images/photo-${String(index + 1).padStart(3, "0")}.jpg/content`;
    const response = await store.fetch(path, {
      method: "PUT",
      headers: { "Content-Type": "image/jpeg", ...headers },
      body,
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  }
  return album;
}
