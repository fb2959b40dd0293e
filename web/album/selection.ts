import { type Signal, signal } from "@preact/signals";
import { Chosen } from "./chosen.ts";
import type { Columns } from "./columns.ts";

/** Which pictures the person has chosen. */
export class Selection {
  readonly chosen: Signal<Chosen> = signal(Chosen.none);
  /** False where the person could do nothing with chosen pictures. */
  readonly canChoose: () => boolean;
  /** Where a range begins, by id. */
  #anchor: string | undefined;
  /** All were chosen while the page did not know all yet. */
  #isGrowing = false;

  constructor(canChoose: () => boolean) {
    this.canChoose = canChoose;
  }

  get size(): number {
    return this.chosen.value.size;
  }

  toggle(columns: Columns, index: number): void {
    const id = columns.id(index);
    const chosen = this.chosen.value;
    const isChosen = chosen.has(columns, { index, id });
    this.set(isChosen ? chosen.without(columns, index) : chosen.with(columns, index, index + 1), id);
  }

  set(chosen: Chosen, anchor = this.#anchor): void {
    if (!this.canChoose()) return;
    this.#anchor = anchor;
    this.#isGrowing = false;
    this.chosen.value = chosen;
  }

  /** Everything from the last one that was chosen to this one. */
  extendTo(columns: Columns, index: number): void {
    const from = this.#anchor === undefined ? -1 : columns.indexOf(this.#anchor);
    const start = from === -1 ? index : Math.min(from, index);
    const end = from === -1 ? index : Math.max(from, index);
    this.set(this.chosen.value.with(columns, start, end + 1), this.#anchor ?? columns.id(index));
  }

  /** All of the album, also those that the page has yet to read. */
  all(columns: Columns, isComplete: boolean): void {
    this.set(Chosen.none.with(columns, 0, columns.count));
    this.#isGrowing = !isComplete;
  }

  /** More are known, or all. */
  grow(columns: Columns, isComplete: boolean): void {
    if (this.#isGrowing) this.all(columns, isComplete);
  }

  clear(): void {
    this.#anchor = undefined;
    this.set(Chosen.none);
  }

  /** Forgets those that are gone. */
  keep(columns: Columns): void {
    const { size } = this;
    if (size === 0 || size > MAX_CHECKED) return;
    const left = [...this.chosen.value].filter((id) => columns.indexOf(id) !== -1);
    if (left.length < size) this.chosen.value = Chosen.of(left);
  }

  /** Forgets very many, where other columns are shown than those in which they were chosen. */
  leaveOthers(columns: Columns): void {
    if (!this.chosen.peek().isOf(columns)) this.clear();
  }
}

const MAX_CHECKED = 500;
