import { useMemo } from "preact/hooks";
import { texts } from "../texts.ts";
import type { Month } from "./months.ts";

interface Props {
  readonly months: readonly Month[];
  /** The month that is seen, by its place among them. */
  readonly current: number;
  readonly onGo: (month: Month) => void;
}

/** Says which month is seen, and goes to others. It stays on the screen while the pictures scroll. */
export function MonthSelect({ months, current, onGo }: Props) {
  // The same elements while the person scrolls: there may be hundreds.
  const options = useMemo(() => yearsOf(months).map(renderYear), [months]);
  return (
    <div class="month">
      <select
        class="input"
        aria-label={texts.album.month}
        value={current}
        onChange={({ currentTarget }) => {
          const month = months[Number(currentTarget.value)];
          if (month !== undefined) onGo(month);
        }}
      >
        {options}
      </select>
    </div>
  );
}

interface Year {
  readonly year: number | undefined;
  readonly places: readonly { readonly place: number; readonly text: string }[];
}

function yearsOf(months: readonly Month[]): readonly Year[] {
  const years: { year: Year["year"]; places: { place: number; text: string }[] }[] = [];
  for (const [place, { year, text }] of months.entries()) {
    const last = years.at(-1);
    if (last !== undefined && last.year === year) last.places.push({ place, text });
    else years.push({ year, places: [{ place, text }] });
  }
  return years;
}

function renderYear({ year, places }: Year) {
  const options = places.map(({ place, text }) => (
    <option key={place} value={place}>
      {text}
    </option>
  ));
  return year === undefined ? (
    options
  ) : (
    <optgroup key={places[0]?.place} label={String(year)}>
      {options}
    </optgroup>
  );
}
