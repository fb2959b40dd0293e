/** Values by the text that they follow from alone. It holds the latest only: who chooses the texts cannot fill the memory. */
export interface Memo<Value> {
  /** What `make` answered for the text, or answers now. What it throws is not remembered. */
  get(text: string, make: () => Value): Value;
  clear(): void;
}

const LONGEST_TEXT = 512;

export function createMemo<Value>(capacity: number): Memo<Value> {
  const known = new Map<string, Value>();
  return {
    get(text, make) {
      const found = known.get(text);
      if (found !== undefined) return found;
      const value = make();
      if (text.length > LONGEST_TEXT) return value;
      if (known.size >= capacity) known.clear();
      known.set(text, value);
      return value;
    },
    clear: () => known.clear(),
  };
}
