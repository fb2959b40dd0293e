const MAX_SCALE = 8;
const DOUBLE_TAP_SCALE = 2.5;
const SWIPE = 60;

interface Callbacks {
  readonly onSwipe: (step: 1 | -1) => void;
  readonly onClose: () => void;
  readonly onScale: (scale: number) => void;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Zoom by wheel, pinch, double tap and keys; moving about when zoomed; swipes to the neighbours and down to close when not. */
export class Zoom {
  #scale = 1;
  #x = 0;
  #y = 0;
  readonly #stage: HTMLElement;
  readonly #picture: HTMLElement;
  readonly #callbacks: Callbacks;
  readonly #pointers = new Map<number, Point>();
  #dragged: Point = { x: 0, y: 0 };
  readonly #over = new AbortController();

  constructor(stage: HTMLElement, picture: HTMLElement, callbacks: Callbacks) {
    this.#stage = stage;
    this.#picture = picture;
    this.#callbacks = callbacks;
    const { signal } = this.#over;
    stage.addEventListener("pointerdown", this.#onDown, { signal });
    stage.addEventListener("pointermove", this.#onMove, { signal });
    stage.addEventListener("pointerup", this.#onUp, { signal });
    stage.addEventListener("pointercancel", this.#onUp, { signal });
    stage.addEventListener("wheel", this.#onWheel, { signal, passive: false });
    stage.addEventListener("dblclick", this.#onDouble, { signal });
  }

  stop(): void {
    this.#over.abort();
  }

  get scale(): number {
    return this.#scale;
  }

  reset(): void {
    this.#scale = 1;
    this.#x = 0;
    this.#y = 0;
    this.#apply();
  }

  by(factor: number, around: Point = this.#centre()): void {
    const scale = Math.min(MAX_SCALE, Math.max(1, this.#scale * factor));
    const real = scale / this.#scale;
    const centre = this.#centre();
    // What is under the finger stays there.
    this.#x = (this.#x - (around.x - centre.x)) * real + (around.x - centre.x);
    this.#y = (this.#y - (around.y - centre.y)) * real + (around.y - centre.y);
    this.#scale = scale;
    this.#apply();
  }

  move(x: number, y: number): void {
    this.#x += x;
    this.#y += y;
    this.#apply();
  }

  #centre(): Point {
    const box = this.#stage.getBoundingClientRect();
    return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
  }

  #apply(): void {
    const { offsetWidth, offsetHeight } = this.#picture;
    const { clientWidth, clientHeight } = this.#stage;
    const limitX = Math.max(0, (offsetWidth * this.#scale - clientWidth) / 2);
    const limitY = Math.max(0, (offsetHeight * this.#scale - clientHeight) / 2);
    this.#x = Math.min(limitX, Math.max(-limitX, this.#x));
    this.#y = Math.min(limitY, Math.max(-limitY, this.#y));
    this.#picture.style.transform = `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`;
    this.#stage.classList.toggle("zoomed", this.#scale > 1);
    this.#callbacks.onScale(this.#scale);
  }

  #onDown = (event: PointerEvent): void => {
    if ((event.target as Element).closest("button, a") !== null || event.button !== 0) return;
    this.#stage.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#dragged = { x: 0, y: 0 };
  };

  #onMove = (event: PointerEvent): void => {
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) return;
    const now = { x: event.clientX, y: event.clientY };
    if (this.#pointers.size === 2) this.#pinch(event.pointerId, before, now);
    else if (this.#scale > 1) this.move(now.x - before.x, now.y - before.y);
    else this.#drag(now.x - before.x, now.y - before.y);
    this.#pointers.set(event.pointerId, now);
  };

  #pinch(id: number, before: Point, now: Point): void {
    const other = [...this.#pointers].find(([pointer]) => pointer !== id)?.[1];
    if (other === undefined) return;
    const factor = distance(now, other) / Math.max(1, distance(before, other));
    this.by(factor, { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
  }

  /** Not zoomed: the picture follows the finger until it is let go. */
  #drag(x: number, y: number): void {
    this.#dragged = { x: this.#dragged.x + x, y: this.#dragged.y + y };
    const isSideways = Math.abs(this.#dragged.x) > Math.abs(this.#dragged.y);
    const shift = isSideways ? `${this.#dragged.x}px, 0` : `0, ${Math.max(0, this.#dragged.y)}px`;
    this.#picture.style.transform = `translate(${shift})`;
  }

  #onUp = (event: PointerEvent): void => {
    if (!this.#pointers.delete(event.pointerId) || this.#pointers.size > 0) return;
    const { x, y } = this.#dragged;
    this.#dragged = { x: 0, y: 0 };
    if (this.#scale > 1) return;
    this.#apply();
    if (event.type === "pointercancel") return;
    if (Math.abs(x) > SWIPE && Math.abs(x) > Math.abs(y)) this.#callbacks.onSwipe(x < 0 ? 1 : -1);
    else if (y > SWIPE * 1.5 && y > Math.abs(x)) this.#callbacks.onClose();
  };

  #onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    this.by(Math.exp(-event.deltaY / 300), { x: event.clientX, y: event.clientY });
  };

  #onDouble = (event: MouseEvent): void => {
    if ((event.target as Element).closest("button, a") !== null) return;
    if (this.#scale > 1) this.reset();
    else this.by(DOUBLE_TAP_SCALE, { x: event.clientX, y: event.clientY });
  };
}

const distance = (one: Point, other: Point): number => Math.hypot(one.x - other.x, one.y - other.y);
