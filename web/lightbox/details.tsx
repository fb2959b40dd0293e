import type { Album, Image } from "../../client/src/index.ts";
import { COVER } from "../albums/choose-cover.ts";
import { formatBytes, formatExposure, formatTime } from "../shared/format.ts";
import { Icon } from "../shared/icons.tsx";
import { may, mayGetOriginals } from "../shared/session.ts";
import { texts } from "../texts.ts";
import { EditForm } from "./edit-form.tsx";
import { Links } from "./links.tsx";

interface Props {
  readonly image: Image;
  readonly album: Album;
  readonly onSaved: (image: Image) => void;
  readonly onCover: () => void;
  readonly onTag: (tag: string) => void;
}

export function Details({ image, album, onSaved, onCover, onTag }: Props) {
  const canEdit = may("write", album);
  return (
    <aside class="details" aria-label={texts.lightbox.details} tabIndex={0}>
      <header class="stack">
        <h2 dir="auto">{image.title ?? image.name}</h2>
        {image.description !== null && (
          <p class="description" dir="auto">
            {image.description}
          </p>
        )}
        {image.tags.length > 0 && (
          <ul class="row" aria-label={texts.details.tags}>
            {image.tags.map((tag) => (
              <li key={tag}>
                <button type="button" class="chip" title={texts.details.showTag(tag)} onClick={() => onTag(tag)}>
                  <Icon name="tag" size={14} />
                  <bdi>{tag}</bdi>
                </button>
              </li>
            ))}
          </ul>
        )}
        {canEdit && (
          <p>
            <button type="button" class="button" aria-pressed={album.metadata[COVER] === image.id} onClick={onCover}>
              <Icon name="picture" size={18} />
              {texts.album.useAsCover}
            </button>
          </p>
        )}
        {image.decodable === false && (
          <p class="problem small">
            {texts.lightbox.broken} {image.decodeError}
          </p>
        )}
      </header>
      <dl class="facts">
        {factsOf(image).map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd dir="auto">{value}</dd>
          </div>
        ))}
      </dl>
      {canEdit && <EditForm image={image} onSaved={onSaved} />}
      <Links image={image} canSign={may("share", album)} hasOriginal={mayGetOriginals(album)} />
    </aside>
  );
}

function factsOf(image: Image): readonly (readonly [string, string])[] {
  const { exif, width, height, size, contentType, name, createdAt, sha256 } = image;
  const t = texts.details;
  const exposure = [
    exif?.exposureTime === undefined ? "" : formatExposure(exif.exposureTime),
    exif?.fNumber === undefined ? "" : `f/${exif.fNumber}`,
    exif?.focalLength === undefined ? "" : `${exif.focalLength} mm`,
    exif?.iso === undefined ? "" : `ISO ${exif.iso}`,
  ].filter(Boolean);
  const facts: [string, string | undefined][] = [
    [t.name, name],
    [t.taken, exif?.takenAt === undefined ? undefined : formatTime(exif.takenAt)],
    [t.camera, [exif?.camera, exif?.lens].filter(Boolean).join(", ")],
    [t.exposure, exposure.join(" · ")],
    [t.artist, exif?.artist],
    [t.copyright, exif?.copyright],
    [t.place, exif?.location === undefined ? undefined : `${exif.location.latitude}, ${exif.location.longitude}`],
    [t.size, `${width} × ${height} · ${formatBytes(size)}`],
    [t.type, contentType.replace("image/", "").toUpperCase()],
    [t.added, formatTime(createdAt)],
    [t.digest, sha256],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== undefined && fact[1] !== "");
}
