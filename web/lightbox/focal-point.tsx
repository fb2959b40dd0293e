import { useRef } from "preact/hooks";
import type { Image } from "../../client/src/index.ts";
import { contentUrl } from "../shared/store.ts";
import { texts } from "../texts.ts";
import { parsePoint } from "./draft.ts";

const CROPS = [
  ["1 / 1", "1:1"],
  ["3 / 4", "3:4"],
  ["16 / 9", "16:9"],
] as const;
const DIGITS = 3;
const round = (value: number): string =>
  Math.min(1, Math.max(0, value))
    .toFixed(DIGITS)
    .replace(/\.?0+$/, "") || "0";

interface Props {
  readonly image: Image;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** What every crop keeps in view: set by a click, or by two sliders, and seen at once in three crops. */
export function FocalPoint({ image, value, onChange }: Props) {
  const frame = useRef<HTMLButtonElement>(null);
  const point = parsePoint(value) ?? { x: 0.5, y: 0.5 };
  const set = (x: number, y: number) => onChange(`${round(x)},${round(y)}`);
  function onClick(event: MouseEvent): void {
    const box = frame.current?.getBoundingClientRect();
    // The keyboard clicks without a place.
    if (box === undefined || (event.clientX === 0 && event.clientY === 0)) return;
    set((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }
  const url = contentUrl(image, 480);
  return (
    <fieldset class="focal">
      <legend>{texts.focal.title}</legend>
      <p class="small muted">{texts.focal.hint}</p>
      <button type="button" class="focal-frame" ref={frame} aria-label={texts.focal.pick} onClick={onClick}>
        <img src={url} alt="" draggable={false} />
        <span class="focal-mark" style={{ left: `${point.x * 100}%`, top: `${point.y * 100}%` }} />
      </button>
      <div class="focal-crops">
        {CROPS.map(([ratio, name]) => (
          <figure key={name}>
            <img src={url} alt="" style={{ aspectRatio: ratio, objectPosition: position(image, ratio, point) }} />
            <figcaption class="small muted">{name}</figcaption>
          </figure>
        ))}
      </div>
      {(["x", "y"] as const).map((axis) => (
        <label key={axis} class="slider small">
          <span>{texts.focal[axis]}</span>
          <input
            type="range"
            min="0"
            max="1"
            step="0.01"
            value={point[axis]}
            onInput={(event) => {
              const at = Number(event.currentTarget.value);
              set(axis === "x" ? at : point.x, axis === "y" ? at : point.y);
            }}
          />
        </label>
      ))}
      {value !== "" && (
        <button type="button" class="button plain" onClick={() => onChange("")}>
          {texts.focal.remove}
        </button>
      )}
    </fieldset>
  );
}

/** As the store crops: the point in the middle, as far as the picture reaches. */
function position(
  { width, height }: Image,
  ratio: string,
  { x, y }: { readonly x: number; readonly y: number },
): string {
  const [across = 1, down = 1] = ratio.split("/").map(Number);
  const shape = width / height / (across / down);
  return `${part(shape > 1 ? 1 / shape : 1, x)}% ${part(shape < 1 ? shape : 1, y)}%`;
}

/** How far the part of one side that is seen lies from its start, in percent of how far it can lie. */
const part = (size: number, at: number): number =>
  size >= 1 ? 50 : (Math.min(1 - size, Math.max(0, at - size / 2)) / (1 - size)) * 100;
