import type { Signal } from "@preact/signals";
import type { Album, Image } from "../../client/src/index.ts";
import { download } from "../album/actions.ts";
import { Icon, type IconName } from "../shared/icons.tsx";
import { may, mayGetOriginals } from "../shared/session.ts";
import { texts } from "../texts.ts";

interface Props {
  readonly album: Album;
  readonly label: string;
  /** Such as `3 of 40`; undefined for a picture that the listing does not have. */
  readonly place: string | undefined;
  /** Undefined until its record is there. */
  readonly image: Image | undefined;
  readonly hasDetails: Signal<boolean>;
  readonly onClose: () => void;
  readonly onDelete: () => void;
}

/** What can be done with the picture that is shown. */
export const LightboxBar = ({ album, label, place, image, hasDetails, onClose, onDelete }: Props) => (
  <div class="lightbox-bar">
    <Tool icon="back" text={texts.lightbox.close} onClick={onClose} />
    <span class="lightbox-name" dir="auto">
      {label}
    </span>
    {place !== undefined && <span class="numbers small lightbox-place">{place}</span>}
    {image !== undefined && mayGetOriginals(album) && (
      <Tool icon="download" text={texts.lightbox.download} onClick={() => download(image)} />
    )}
    {may("delete", album) && <Tool icon="trash" text={texts.lightbox.delete} onClick={onDelete} />}
    <Tool
      icon="info"
      text={texts.lightbox.details}
      pressed={hasDetails.value}
      onClick={() => (hasDetails.value = !hasDetails.value)}
    />
  </div>
);

interface ToolProps {
  readonly icon: IconName;
  readonly text: string;
  readonly pressed?: boolean;
  readonly onClick: () => void;
}

const Tool = ({ icon, text, pressed, onClick }: ToolProps) => (
  <button type="button" class="tool" aria-label={text} title={text} aria-pressed={pressed} onClick={onClick}>
    <Icon name={icon} />
  </button>
);

/** A step to a neighbour. */
export const Arrow = ({ icon, text, onClick }: ToolProps) => (
  <button type="button" class={`tool arrow ${icon}`} aria-label={text} title={text} onClick={onClick}>
    <Icon name={icon} size={28} />
  </button>
);
