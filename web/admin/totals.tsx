import { formatBytes, formatCount } from "../shared/format.ts";
import { store } from "../shared/store.ts";
import { texts } from "../texts-admin.ts";
import { Section, useLoaded } from "./section.tsx";

/** More albums than this are not counted to the end: that would take the store long. */
const MAX_ALBUMS = 10_000;

interface Sums {
  readonly albums: number;
  readonly images: number;
  readonly bytes: number;
  readonly isAll: boolean;
}

async function count(): Promise<Sums> {
  let sums: Sums = { albums: 0, images: 0, bytes: 0, isAll: true };
  for await (const { imageCount, byteCount } of store.albums.list({ pageSize: 1000 })) {
    if (sums.albums === MAX_ALBUMS) return { ...sums, isAll: false };
    sums = { ...sums, albums: sums.albums + 1, images: sums.images + imageCount, bytes: sums.bytes + byteCount };
  }
  return sums;
}

export function Totals() {
  const loaded = useLoaded(count);
  const sums = loaded.data.value;
  return (
    <Section title={texts.admin.totals} loaded={loaded}>
      {sums !== undefined && (
        <dl class="totals numbers">
          {(
            [
              [texts.admin.albums, formatCount(sums.albums)],
              [texts.admin.images, formatCount(sums.images)],
              [texts.admin.bytes, formatBytes(sums.bytes)],
            ] as const
          ).map(([term, value]) => (
            <div key={term}>
              <dt>{term}</dt>
              <dd>{sums.isAll ? value : texts.admin.atLeast(value)}</dd>
            </div>
          ))}
        </dl>
      )}
    </Section>
  );
}
