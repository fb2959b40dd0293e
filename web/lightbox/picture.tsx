import { useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { FIRST_WIDTH } from "../shared/opening.ts";
import { placeholderOf } from "../shared/placeholder.ts";
import { contentUrl } from "../shared/store.ts";
import { texts } from "../texts.ts";
import { Zoom } from "./zoom.ts";

/** What must be known to show a picture, of a layout or a record. */
export interface Shown {
  readonly id: string;
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  readonly placeholder: string | null;
}

const WIDTHS = [640, 960, 1280, 1920, 2560, 3840];

interface Props {
  readonly image: Shown;
  readonly label: string;
  readonly zoom: RefObject<Zoom | undefined>;
  readonly onSwipe: (step: 1 | -1) => void;
  readonly onClose: () => void;
  /** It is there as sharp as the screen, or cannot be. */
  readonly onLoaded: () => void;
}

/** One picture as large as the stage allows: its placeholder at once, a small one next, then one as sharp as the screen. */
export function Picture({ image, label, zoom, onSwipe, onClose, onLoaded }: Props) {
  const stage = useRef<HTMLDivElement>(null);
  const picture = useRef<HTMLDivElement>(null);
  const size = useSignal({ width: 0, height: 0 });
  const scale = useSignal(1);
  const failed = useSignal(false);

  useLayoutEffect(() => {
    const element = stage.current;
    if (element === null) return undefined;
    const measure = () => {
      const factor = Math.min(element.clientWidth / image.width, element.clientHeight / image.height);
      size.value = { width: image.width * factor, height: image.height * factor };
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [image.id, image.width, image.height]);

  useEffect(() => {
    if (stage.current === null || picture.current === null) return undefined;
    const made = new Zoom(stage.current, picture.current, {
      onSwipe,
      onClose,
      onScale: (now) => (scale.value = now > 1 ? 2 ** Math.ceil(Math.log2(now)) : 1),
    });
    made.reset();
    failed.value = false;
    zoom.current = made;
    return () => made.stop();
  }, [image.id]);

  const { width, height } = size.value;
  return (
    <div class="stage" ref={stage}>
      <div
        class="lit"
        ref={picture}
        style={{
          width: `${width}px`,
          height: `${height}px`,
          backgroundImage: image.placeholder === null ? "none" : placeholderOf(image.placeholder),
        }}
      >
        {width > 0 && (
          <>
            <img
              key={`${image.sha256} first`}
              class="first"
              alt=""
              src={contentUrl(image, FIRST_WIDTH)}
              draggable={false}
            />
            <img
              key={image.sha256}
              alt={label}
              draggable={false}
              fetchpriority="low"
              sizes={`${Math.ceil(width * scale.value)}px`}
              srcset={srcset(image)}
              onLoad={onLoaded}
              onError={() => {
                failed.value = true;
                onLoaded();
              }}
              hidden={failed.value}
            />
          </>
        )}
      </div>
      {failed.value && (
        <p class="stage-note" role="alert">
          {texts.lightbox.broken}
        </p>
      )}
    </div>
  );
}

export function srcset(image: Shown): string {
  const fitting = WIDTHS.findIndex((width) => width >= image.width);
  const used = fitting === -1 ? WIDTHS : WIDTHS.slice(0, fitting + 1);
  return used.map((width) => `${contentUrl(image, width)} ${Math.min(width, image.width)}w`).join(", ");
}

/** Fetches a neighbour before it is asked for. */
export function preload(image: Shown): void {
  const element = new Image();
  element.sizes = "100vw";
  element.srcset = srcset(image);
}
