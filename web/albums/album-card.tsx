import type { Album } from "../../client/src/index.ts";
import { Menu, type MenuItem } from "../shared/menu.tsx";
import { urlOf } from "../shared/router.ts";
import { may } from "../shared/session.ts";
import { texts } from "../texts.ts";
import { AlbumCover } from "./cover.tsx";

interface Props {
  readonly album: Album;
  readonly onEdit: () => void;
  readonly onDelete: () => void;
}

export function AlbumCard({ album, onEdit, onDelete }: Props) {
  const { name, title, imageCount, byteCount, visibility } = album;
  const items: MenuItem[] = [];
  if (may("write", album)) items.push({ text: texts.albums.edit, icon: "edit", onSelect: onEdit });
  if (may("delete", album)) items.push({ text: texts.albums.delete, icon: "trash", danger: true, onSelect: onDelete });
  return (
    <li class="album-card" data-album-id={album.id}>
      <AlbumCover album={album} />
      <div class="about">
        <a class="name" href={urlOf.album(name)} data-view dir="auto">
          {title ?? name}
        </a>
        {items.length > 0 && <Menu label={texts.albums.menu(title ?? name)} items={items} />}
        <span class="facts numbers">
          {texts.pictureFacts(imageCount, byteCount)}
          {visibility === "public" && ` · ${texts.albums.public}`}
        </span>
      </div>
    </li>
  );
}
