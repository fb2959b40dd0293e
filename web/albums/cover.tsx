import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Album } from "../../client/src/index.ts";
import { Icon } from "../shared/icons.tsx";
import { usePlaceholder } from "../shared/placeholder.ts";
import { contentUrl, store } from "../shared/store.ts";

interface Cover {
  readonly id: string;
  readonly sha256: string;
  readonly placeholder: string | null;
}

const WIDTHS = [320, 480, 640, 960];
const SIZES = "(max-width: 40rem) 50vw, 20rem";

/** By id and revision of the album; asked for once a card comes near the screen. */
const covers = new Map<string, Promise<Cover | undefined>>();

function coverOf({ id, name, imageCount, revision, byteCount }: Album): Promise<Cover | undefined> {
  const key = `${id} ${revision} ${imageCount} ${byteCount}`;
  let cover = covers.get(key);
  if (cover === undefined) {
    cover = store
      .send("GET", "/v1/albums/{album}/layout", {
        path: { album: name },
        query: { pageSize: 1, orderBy: "-createdAt" },
      })
      .then(({ ids: [first], sha256: [digest], placeholders: [placeholder = null] }) =>
        first === undefined || digest === undefined ? undefined : { id: first, sha256: digest, placeholder },
      )
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
