import { formatBytes, formatCount } from "../shared/format.ts";
import { store } from "../shared/store.ts";
import { texts } from "../texts-admin.ts";
import { Figures, Section, useLoaded } from "./section.tsx";

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
  const said = (value: string) => (sums?.isAll === false ? texts.admin.atLeast(value) : value);
  return (
    <Section title={texts.admin.totals} loaded={loaded}>
      {sums !== undefined && (
        <Figures
          figures={[
            [texts.admin.albums, said(formatCount(sums.albums))],
            [texts.admin.images, said(formatCount(sums.images))],
            [texts.admin.bytes, said(formatBytes(sums.bytes))],
          ]}
        />
      )}
    </Section>
  );
}
