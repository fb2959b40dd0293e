import type { Signal } from "@preact/signals";
import { TextField } from "../shared/form.tsx";
import { texts } from "../texts-admin.ts";

interface Props {
  readonly label: string;
  readonly position: Signal<string>;
  readonly isRequired?: boolean;
  readonly hasFocus?: boolean;
}

/** A field for a time, or for a cursor that was copied from an event. */
export const PositionField = ({ label, position, isRequired, hasFocus }: Props) => (
  <TextField
    label={label}
    hint={texts.position.hint}
    isRequired={isRequired}
    hasFocus={hasFocus}
    value={position.value}
    onText={(text) => (position.value = text)}
  />
);

/** A time as people write it, in their own zone, or a cursor as it is. */
export function positionOf(text: string): string {
  const time = /^\d{4}-\d\d-\d\d/.test(text.trim()) ? new Date(text.trim().replace(" ", "T")) : undefined;
  return time === undefined || Number.isNaN(time.getTime()) ? text.trim() : time.toISOString();
}
