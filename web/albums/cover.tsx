import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Album, components } from "../../client/src/index.ts";
import { Icon } from "../shared/icons.tsx";
import { usePlaceholder } from "../shared/placeholder.ts";
import { contentUrl, store } from "../shared/store.ts";
import { COVER, coverTimeOf } from "./choose-cover.ts";

interface Cover {
  readonly id: string;
  readonly sha256: string;
  readonly placeholder: string | null;
}

const WIDTHS = [320, 480, 640, 960];
const SIZES = "(max-width: 40rem) 50vw, 20rem";

/** By id and revision of the album; asked for once a card comes near the screen. */
const covers = new Map<string, Promise<Cover | undefined>>();

/** The image that someone chose, as long as it is in the album. */
async function chosenCover(album: Album): Promise<Cover | undefined> {
  const { id, metadata } = album;
  const chosen = metadata[COVER];
  if (chosen === undefined) return undefined;
  const createdAt = coverTimeOf(album);
  if (createdAt !== undefined) return listedCover(album.name, chosen, createdAt);
  const image = await store.imageById(chosen).catch(() => undefined);
  return image?.albumId === id ? image : undefined;
}

async function listedCover(album: string, id: string, createdAt: number): Promise<Cover | undefined> {
  const timeAt = (after: number) => new Date(createdAt + after).toISOString();
  const page = await store.send("GET", "/v1/albums/{album}/layout", {
    path: { album },
    query: { pageSize: 1000, orderBy: "createdAt", createdAfter: timeAt(-1), createdBefore: timeAt(1) },
  });
  return coverAt(page, page.ids.indexOf(id));
}

async function newestCover(album: string): Promise<Cover | undefined> {
  const query = { pageSize: 1, orderBy: "-createdAt" } as const;
  return coverAt(await store.send("GET", "/v1/albums/{album}/layout", { path: { album }, query }), 0);
}

type LayoutPage = components["schemas"]["ImageLayoutPage"];

function coverAt({ ids, sha256, placeholders }: LayoutPage, at: number): Cover | undefined {
  const [id, digest, placeholder = null] = [ids[at], sha256[at], placeholders[at]];
  return id === undefined || digest === undefined ? undefined : { id, sha256: digest, placeholder };
}

function coverOf(album: Album): Promise<Cover | undefined> {
  const { id, name, imageCount, revision, byteCount } = album;
  const key = `${id} ${revision} ${imageCount} ${byteCount}`;
  let cover = covers.get(key);
  if (cover === undefined) {
    cover = chosenCover(album)
      .then((chosen) => chosen ?? newestCover(name))
      .catch(() => undefined);
    covers.set(key, cover);
  }
  return cover;
}

export function AlbumCover({ album }: { readonly album: Album }) {
  const cover = useSignal<Cover | undefined>(undefined);
  const root = usePlaceholder<HTMLDivElement>(cover.value?.placeholder ?? null);
  useEffect(() => {
    if (album.imageCount === 0) {
      cover.value = undefined;
      return undefined;
    }
    let wanted = true;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting !== true) return;
        observer.disconnect();
        void coverOf(album).then((found) => {
          if (wanted) cover.value = found;
        });
      },
      { rootMargin: "400px" },
    );
    if (root.current !== null) observer.observe(root.current);
    return () => {
      wanted = false;
      observer.disconnect();
    };
  }, [album.id, album.revision, album.imageCount, album.byteCount]);

  const shown = cover.value;
  return (
    <div class="cover" ref={root}>
      {shown === undefined ? (
        <Icon name="picture" size={36} />
      ) : (
        <img
          alt=""
          loading="lazy"
          decoding="async"
          sizes={SIZES}
          srcset={WIDTHS.map((width) => `${contentUrl(shown, width)} ${width}w`).join(", ")}
          src={contentUrl(shown, 480)}
        />
      )}
    </div>
  );
}
