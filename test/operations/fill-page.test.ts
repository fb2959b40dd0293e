import { expect, test } from "bun:test";
import type { Page, PageQuery } from "../../src/domain/page.ts";
import type { Visibility } from "../../src/domain/visibility.ts";
import { fillPage } from "../../src/operations/fill-page.ts";

const WATERMARK = { epoch: 1, seq: 7 };
const never = new AbortController().signal;
const LONG = 1_000_000_000;

const startAfter = (row: number) => ({ after: { key: row, id: "" }, watermark: WATERMARK });

/** A listing whose pages look at ten rows each; every `nth` passes. */
function listingOf(rows: number, nth: number) {
  let reads = 0;
  const read = async ({ start, limit }: PageQuery): Promise<Page<number>> => {
    reads++;
    const from = start === undefined ? 0 : Number(start.after.key) + 1;
    const items: number[] = [];
    for (let row = from; row < from + 10; row++) {
      if (row >= rows) return { items, next: undefined, watermark: WATERMARK };
      if (row % nth === 0) items.push(row);
      if (items.length === limit) return { items, next: startAfter(row), watermark: WATERMARK };
    }
    return { items, next: startAfter(from + 9), watermark: WATERMARK };
  };
  return { read, reads: () => reads };
}

const query: PageQuery & { readonly visibility: Visibility } = { visibility: "all", orderBy: "createdAt", limit: 3 };

test("fillPage continues after a short page until it is full, without repeats", async () => {
  const listing = listingOf(1000, 100);
  const first = await fillPage(listing.read, query, { signal: never, patience: LONG });
  expect(first).toMatchObject({ items: [0, 100, 200], watermark: WATERMARK });
  expect(first.next?.after.key).toBe(200);
  const { next } = first;
  if (next === undefined) throw new Error("There is no next page.");
  const second = await fillPage(listing.read, { ...query, start: next }, { signal: never, patience: LONG });
  expect(second.items).toEqual([300, 400, 500]);
});

test("fillPage ends with the listing", async () => {
  const page = await fillPage(listingOf(150, 100).read, query, { signal: never, patience: LONG });
  expect(page).toEqual({ items: [0, 100], next: undefined, watermark: WATERMARK });
});

test("fillPage yields between two steps", async () => {
  const listing = listingOf(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  const left = new AbortController();
  const filling = fillPage(listing.read, query, { signal: left.signal, patience: LONG });
  for (let turn = 0; turn < 3; turn++) await Bun.sleep(0);
  left.abort();
  expect((await filling).items).toEqual([0]);
});

test("fillPage takes no further step after a disconnect or its deadline", async () => {
  const gone = listingOf(1000, 1000);
  const left = new AbortController();
  left.abort();
  const page = await fillPage(gone.read, query, { signal: left.signal, patience: LONG });
  expect({ reads: gone.reads(), next: page.next?.after.key }).toEqual({ reads: 1, next: 9 });
  const late = listingOf(1000, 1000);
  expect(await fillPage(late.read, query, { signal: never, patience: 0 })).toEqual(page);
  expect(late.reads()).toBe(1);
});
