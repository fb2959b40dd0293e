/** Browsers cap an element at some 17 million pixels, Firefox before. */
const MAX_HEIGHT = 6_000_000;
/** So many pixels at each end are as long in the bar as they are. */
const EXACT = 1_000_000;
const SETTLE_MS = 180;
/** A move of more than so many screens is a jump: of the bar, of Home and End. */
const JUMP_SCREENS = 3;

/**
 * Scrolls more than an element can be high. Small moves are exact, pixel by pixel; a jump goes to the same part of the whole. Once the
 * person rests, the bar is put where it belongs.
 */
export class ScaledScroll {
  readonly #element: HTMLElement;
  readonly #onMove: () => void;
  /** Of what is above the rows. */
  #lead = 0;
  #total = 0;
  #base = 0;
  #lastTop = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(element: HTMLElement, onMove: () => void) {
    this.#element = element;
    this.#onMove = onMove;
    element.addEventListener("scroll", this.#onScroll, { passive: true });
  }

  /** Height of the element that stands for all rows. */
  get height(): number {
    return Math.min(this.#total, MAX_HEIGHT);
  }

  get viewport(): number {
    return this.#element.clientHeight;
  }

  /** First visible pixel among the rows; below 0 while what is above them is seen. */
  get offset(): number {
    return this.#element.scrollTop - this.#lead + this.#base;
  }

  /** What to add to the place of a row among all to get its place in the element. */
  get shift(): number {
    return -this.#base;
  }

  resize(total: number, lead: number): void {
    this.#follow();
    const { offset } = this;
    const wasScaled = this.#base !== 0;
    this.#total = total;
    this.#lead = lead;
    if (this.#isScaled || wasScaled) this.#place(offset);
  }

  scrollTo(offset: number): void {
    if (this.#isScaled) this.#place(Math.max(0, Math.min(offset, this.#total - this.viewport)));
    else this.#element.scrollTop = offset + this.#lead;
    this.#onMove();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#element.removeEventListener("scroll", this.#onScroll);
  }

  get #isScaled(): boolean {
    return this.#total > MAX_HEIGHT;
  }

  #onScroll = (): void => {
    this.#follow();
    if (this.#isScaled) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.#follow();
        this.#place(this.offset);
      }, SETTLE_MS);
    }
    this.#onMove();
  };

  /** Takes in where the bar is now. The browser tells of a move with its next frame, which on a busy machine comes late. */
  #follow(): void {
    const top = this.#element.scrollTop;
    const moved = Math.abs(top - this.#lastTop);
    this.#lastTop = top;
    if (!this.#isScaled) return;
    const isAtEnd = top <= this.#lead || top + this.viewport >= this.#element.scrollHeight - 1;
    if (isAtEnd || moved > JUMP_SCREENS * this.viewport)
      this.#base = this.#offsetOf(top - this.#lead) - (top - this.#lead);
  }

  /** Puts the bar where the offset belongs, without moving what is seen. */
  #place(offset: number): void {
    if (this.#isScaled) {
      this.#element.scrollTop = Math.round(this.#lead + this.#topOf(offset));
      this.#lastTop = this.#element.scrollTop;
      this.#base = offset - (this.#lastTop - this.#lead);
    } else {
      this.#base = 0;
      this.#element.scrollTop = offset + this.#lead;
    }
    this.#onMove();
  }

  get #ranges(): { readonly real: number; readonly bar: number } {
    return { real: this.#total - this.viewport, bar: this.height - this.viewport };
  }

  /** Exact near both ends, and scaled between. */
  #topOf(offset: number): number {
    const { real, bar } = this.#ranges;
    if (offset <= EXACT) return offset;
    if (offset >= real - EXACT) return bar - (real - offset);
    return EXACT + ((offset - EXACT) * (bar - 2 * EXACT)) / (real - 2 * EXACT);
  }

  #offsetOf(top: number): number {
    const { real, bar } = this.#ranges;
    if (top <= EXACT) return top;
    if (top >= bar - EXACT) return real - (bar - top);
    return EXACT + ((top - EXACT) * (real - 2 * EXACT)) / (bar - 2 * EXACT);
  }
}
