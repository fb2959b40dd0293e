import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Album } from "../../client/src/index.ts";
import { Icon } from "../shared/icons.tsx";
import { usePlaceholder } from "../shared/placeholder.ts";
import { contentUrl, store } from "../shared/store.ts";
import { COVER } from "./choose-cover.ts";

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
async function chosenCover({ id, metadata }: Album): Promise<Cover | undefined> {
  const chosen = metadata[COVER];
  if (chosen === undefined) return undefined;
  const image = await store.imageById(chosen).catch(() => undefined);
  return image?.albumId === id ? image : undefined;
}

async function firstCover(album: string): Promise<Cover | undefined> {
  const { ids, sha256, placeholders } = await store.send("GET", "/v1/albums/{album}/layout", {
    path: { album },
    query: { pageSize: 1, orderBy: "-createdAt" },
  });
  const [first, digest, placeholder = null] = [ids[0], sha256[0], placeholders[0]];
  return first === undefined || digest === undefined ? undefined : { id: first, sha256: digest, placeholder };
}

function coverOf(album: Album): Promise<Cover | undefined> {
  const { id, name, imageCount, revision, byteCount } = album;
  const key = `${id} ${revision} ${imageCount} ${byteCount}`;
  let cover = covers.get(key);
  if (cover === undefined) {
    cover = chosenCover(album)
      .then((chosen) => chosen ?? firstCover(name))
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
