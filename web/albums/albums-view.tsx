import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Album } from "../../client/src/index.ts";
import { Icon } from "../shared/icons.tsx";
import { Problem } from "../shared/problem.tsx";
import { navigate, urlOf } from "../shared/router.ts";
import { isGuest, may } from "../shared/session.ts";
import { showError, showToast } from "../shared/toast.tsx";
import { texts } from "../texts.ts";
import { AlbumCard } from "./album-card.tsx";
import { DeleteAlbum, EditAlbum } from "./album-dialogs.tsx";
import { type AlbumOrder, albums, loadAlbums, loadMore, nextPage, order, prefix, problem } from "./albums-state.ts";
import { followAlbums } from "./follow-albums.ts";

const TYPING_MS = 200;

type Open = { readonly kind: "create" } | { readonly kind: "edit" | "delete"; readonly album: Album };

export function AlbumsView() {
  const open = useSignal<Open | undefined>(undefined);
  const close = () => (open.value = undefined);
  useEffect(() => followAlbums(), []);
  const shown = open.value;
  return (
    <div class="page">
      <header class="page-head">
        <h1>{texts.albums.title}</h1>
        <Find />
        {may("write") && (
          <button type="button" class="button primary" onClick={() => (open.value = { kind: "create" })}>
            <Icon name="plus" />
            {texts.albums.create}
          </button>
        )}
      </header>
      {problem.value !== undefined && <Problem error={problem.value} onRetry={() => void loadAlbums()} />}
      <ul class="albums" aria-label={texts.albums.title}>
        {albums.value?.map((album) => (
          <AlbumCard
            key={album.id}
            album={album}
            onEdit={() => (open.value = { kind: "edit", album })}
            onDelete={() => (open.value = { kind: "delete", album })}
          />
        ))}
      </ul>
      {albums.value?.length === 0 && problem.value === undefined && <Empty />}
      <More />
      {(shown?.kind === "create" || shown?.kind === "edit") && (
        <EditAlbum
          album={shown.kind === "edit" ? shown.album : undefined}
          onClose={close}
          onSaved={(album) => {
            close();
            if (shown.kind === "edit") void loadAlbums();
            else navigate(urlOf.album(album.name));
          }}
        />
      )}
      {shown?.kind === "delete" && (
        <DeleteAlbum
          album={shown.album}
          onClose={close}
          onDeleted={() => {
            close();
            showToast(texts.albums.deleted(shown.album.title ?? shown.album.name));
            albums.value = albums.value?.filter(({ id }) => id !== shown.album.id);
            void loadAlbums();
          }}
        />
      )}
    </div>
  );
}

function Find() {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  return (
    <div class="find">
      <input
        class="input"
        type="search"
        dir="auto"
        aria-label={texts.albums.find}
        placeholder={texts.albums.findHint}
        value={prefix.value}
        onInput={(event) => {
          prefix.value = event.currentTarget.value;
          clearTimeout(timer.current);
          timer.current = setTimeout(() => void loadAlbums(), TYPING_MS);
        }}
      />
      <select
        class="input"
        aria-label={texts.albums.sort}
        value={order.value}
        onChange={(event) => {
          order.value = event.currentTarget.value as AlbumOrder;
          void loadAlbums();
        }}
      >
        {Object.entries(texts.albums.orders).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

const Empty = () => (
  <div class="empty">
    <Icon name="albums" size={56} />
    <h2>{prefix.value === "" ? texts.albums.empty : texts.albums.noMatch(prefix.value)}</h2>
    {prefix.value === "" && (
      <p class="muted">{isGuest.value ? texts.albums.emptyGuest : may("write") ? texts.albums.emptyHint : ""}</p>
    )}
  </div>
);

/** Reads on once the end of the list comes near. */
function More() {
  const end = useRef<HTMLDivElement>(null);
  const token = nextPage.value;
  useEffect(() => {
    if (token === undefined || end.current === null) return undefined;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting === true) loadMore().catch(showError);
      },
      { rootMargin: "800px" },
    );
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [token]);
  return <div ref={end}>{token !== undefined && <p class="muted">{texts.loading}</p>}</div>;
}
