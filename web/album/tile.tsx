import { Icon } from "../shared/icons.tsx";
import { usePlaceholder } from "../shared/placeholder.ts";
import { urlOf } from "../shared/router.ts";
import { contentUrl } from "../shared/store.ts";
import { texts } from "../texts.ts";
import type { Columns, LaidImage } from "./columns.ts";
import type { Selection } from "./selection.ts";

/** The ladder that the store renders for every reader. */
const WIDTHS = [160, 240, 320, 480, 640, 960, 1280, 1920];

interface Props {
  readonly image: LaidImage;
  readonly album: string;
  readonly total: number;
  readonly left: number;
  readonly width: number;
  readonly height: number;
  readonly column: number;
  readonly isFocusable: boolean;
  /** In which the image is. */
  readonly columns: Columns;
  readonly selection: Selection;
}

export function Tile({ image, album, total, left, width, height, column, isFocusable, columns, selection }: Props) {
  const { index, id, placeholder } = image;
  const isSelected = selection.chosen.value.has(columns, image);
  const isSelecting = selection.size > 0;
  const picture = usePlaceholder<HTMLAnchorElement>(placeholder);
  const label = texts.album.picture(index + 1, total);
  function onSelect({ shiftKey }: MouseEvent): void {
    if (shiftKey) selection.extendTo(columns, index);
    else selection.toggle(columns, index);
  }
  return (
    <div
      role="gridcell"
      aria-colindex={column + 1}
      aria-selected={selection.canChoose() ? isSelected : undefined}
      class={isSelected ? "tile selected" : "tile"}
      data-image-id={id}
      data-index={index}
      style={{ left: `${left}px`, width: `${width}px`, height: `${height}px` }}
    >
      <a
        ref={picture}
        class="picture"
        href={urlOf.image(album, id)}
        data-view
        tabIndex={isFocusable ? 0 : -1}
        aria-label={label}
        draggable={false}
        onClick={(event) => {
          if (!selection.canChoose() || (!isSelecting && !event.shiftKey && !event.ctrlKey && !event.metaKey)) return;
          event.preventDefault();
          onSelect(event);
        }}
      >
        <img
          alt=""
          decoding="async"
          draggable={false}
          sizes={`${Math.ceil(width)}px`}
          srcset={srcset(image)}
          onError={(event) => event.currentTarget.parentElement?.classList.add("broken")}
        />
        <Icon name="picture" size={28} />
      </a>
      {selection.canChoose() && (
        <button
          type="button"
          class="select"
          role="checkbox"
          aria-checked={isSelected}
          aria-label={texts.album.select(index + 1)}
          tabIndex={-1}
          onClick={onSelect}
        >
          <Icon name="check" size={16} />
        </button>
      )}
    </div>
  );
}

function srcset(image: LaidImage): string {
  const fitting = WIDTHS.findIndex((width) => width >= image.width);
  const used = fitting === -1 ? WIDTHS : WIDTHS.slice(0, fitting + 1);
  return used.map((width) => `${contentUrl(image, width)} ${Math.min(width, image.width)}w`).join(", ");
}
