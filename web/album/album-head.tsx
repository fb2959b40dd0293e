import type { Album } from "../../client/src/index.ts";
import { Icon } from "../shared/icons.tsx";
import { Menu, type MenuItem } from "../shared/menu.tsx";
import { urlOf } from "../shared/router.ts";
import { may, mayAdd, mayGetOriginals } from "../shared/session.ts";
import { zipUrl } from "../shared/store.ts";
import { texts } from "../texts.ts";
import { pickFiles } from "../upload/intake.tsx";
import { save } from "./actions.ts";
import type { AlbumState, ImageOrder } from "./album-state.ts";

interface Props {
  readonly state: AlbumState;
  readonly album: Album;
  readonly onShare: () => void;
  readonly onEdit: () => void;
  readonly onDelete: () => void;
}

export function AlbumHead({ state, album, onShare, onEdit, onDelete }: Props) {
  const { name, title, description, imageCount, byteCount, visibility } = album;
  /** Then what the person has deleted just now is not counted. */
  const isAll = state.isComplete.value && state.tag.value === undefined;
  void state.version.value;
  const items: MenuItem[] = [];
  if (mayAdd(album)) items.push({ text: texts.upload.addFolder, icon: "upload", onSelect: () => pickFiles("folder") });
  if (mayGetOriginals(album) && imageCount > 0)
    items.push({ text: texts.album.downloadAll, icon: "download", onSelect: () => save(zipUrl(name), `${name}.zip`) });
  if (may("share", album)) items.push({ text: texts.album.share, icon: "share", onSelect: onShare });
  if (may("write", album)) items.push({ text: texts.albums.edit, icon: "edit", onSelect: onEdit });
  if (may("delete", album)) items.push({ text: texts.albums.delete, icon: "trash", danger: true, onSelect: onDelete });
  return (
    <header class="album-head">
      <a
        class="button plain icon"
        href={urlOf.albums()}
        data-view
        aria-label={texts.nav.albums}
        title={texts.nav.albums}
      >
        <Icon name="back" />
      </a>
      <div class="album-title">
        <h1 dir="auto">{title ?? name}</h1>
        <p class="muted small numbers">
          {texts.pictureFacts(isAll ? state.columns.count : imageCount, byteCount)}
          {visibility === "public" && ` · ${texts.albums.public}`}
          {!state.isComplete.value && ` · ${texts.album.reading(state.columns.count)}`}
        </p>
        {description !== null && (
          <p class="description" dir="auto">
            {description}
          </p>
        )}
      </div>
      <div class="album-tools">
        {state.isStale.value && (
          <button type="button" class="button" aria-label={texts.album.showChanges} onClick={() => void state.load()}>
            <Icon name="retry" size={16} />
            <span class="word">{texts.album.showChanges}</span>
          </button>
        )}
        {state.tag.value !== undefined && (
          <button type="button" class="button tag" onClick={() => state.setTag(undefined)}>
            <Icon name="tag" size={16} />
            <bdi>{state.tag.value}</bdi>
            <Icon name="close" size={16} />
          </button>
        )}
        <select
          class="input"
          aria-label={texts.album.sort}
          value={state.order.value}
          onChange={(event) => state.setOrder(event.currentTarget.value as ImageOrder)}
        >
          {Object.entries(texts.album.orders).map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
        {mayAdd(album) && (
          <button
            type="button"
            class="button primary"
            aria-label={texts.upload.add}
            title={texts.upload.add}
            onClick={() => pickFiles("files")}
          >
            <Icon name="upload" />
            <span class="word">{texts.upload.add}</span>
          </button>
        )}
        {items.length > 0 && <Menu label={texts.albums.menu(title ?? name)} items={items} />}
      </div>
    </header>
  );
}
