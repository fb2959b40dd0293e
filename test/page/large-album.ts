import type { BrowserContext } from "playwright-core";
import type { TestStore } from "../http/harness.ts";
import { drawPhoto } from "./drawings.ts";
import { seedAlbum } from "./seed.ts";

/** The newest picture of a large album, and the time between two of them. */
export const NEWEST = Date.parse("2026-07-15T12:00:00Z");
export const MINUTES_BETWEEN = 10;

/**
 * Lets a browser find so many pictures in an album, of which the store has one. Each is {@link MINUTES_BETWEEN} older than the one
 * before it.
 */
export async function pretendLargeAlbum(
  context: BrowserContext,
  store: TestStore,
  name: string,
  count: number,
): Promise<void> {
  const path = await seedAlbum(store, name, 1);
  const one = (await (await store.fetch(`${path}/layout`)).json()) as Readonly<Record<string, readonly unknown[]>>;
  const record = (await (await store.fetch(path)).json()) as object;
  const picture = Buffer.from(await drawPhoto(0, { size: [320, 240] }));
  await context.route(`**${path}`, (route) => route.fulfill({ json: { ...record, imageCount: count } }));
  await context.route(`**${path}/layout?*`, (route) => {
    const query = new URL(route.request().url()).searchParams;
    const first = Number(query.get("pageToken") ?? 0);
    const size = Math.min(Number(query.get("pageSize")), count - first);
    const column = (of: (index: number) => unknown) => Array.from({ length: size }, (_, at) => of(first + at));
    const same = (column_: string) => column(() => one[column_]?.[0]);
    const next = first + size;
    return route.fulfill({
      json: {
        ...one,
        ids: column((index) => `00000000-0000-7000-8000-${index.toString(16).padStart(12, "0")}`),
        sha256: same("sha256"),
        widths: column((index) => 300 + (index % 7) * 50),
        heights: column(() => 400),
        placeholders: same("placeholders"),
        takenAt: column((index) => NEWEST - index * MINUTES_BETWEEN * 60_000),
        createdAt: column((index) => NEWEST - index * MINUTES_BETWEEN * 60_000),
        ...(next < count ? { nextPageToken: String(next) } : {}),
      },
    });
  });
  await context.route("**/content/**", (route) => route.fulfill({ body: picture, contentType: "image/jpeg" }));
}
