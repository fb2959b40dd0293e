import type { ComponentChildren } from "preact";
import { texts } from "../texts.ts";
import { Problem } from "./problem.tsx";
import type { Submit } from "./submit.ts";

export interface FormEndProps {
  readonly form: Submit;
  readonly action: string;
  /** What leads out of the form; undefined where nothing does. */
  readonly onCancel?: (() => void) | undefined;
  readonly cancel?: string | undefined;
  /** Offered beside the error. */
  readonly onRetry?: (() => void) | undefined;
  readonly isDisabled?: boolean | undefined;
}

/** The last error of a form, and its buttons. */
export const FormEnd = ({
  form,
  action,
  onCancel,
  cancel = texts.cancel,
  onRetry,
  isDisabled = false,
}: FormEndProps) => (
  <>
    {form.error.value !== undefined && <Problem error={form.error.value} onRetry={onRetry} />}
    <div class="form-end">
      {onCancel !== undefined && (
        <button type="button" class="button" onClick={onCancel}>
          {cancel}
        </button>
      )}
      <button type="submit" class="button primary" disabled={form.busy.value || isDisabled}>
        {action}
      </button>
    </div>
  </>
);

const KINDS = {
  text: { type: "text" },
  password: { type: "password" },
  date: { type: "date" },
  number: { type: "number", min: "0" },
} as const;

interface TextFieldProps {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly value: string;
  readonly onText: (text: string) => void;
  readonly type?: keyof typeof KINDS | undefined;
  readonly isRequired?: boolean | undefined;
  readonly hasFocus?: boolean | undefined;
  readonly isLong?: boolean | undefined;
  readonly maxLength?: number | undefined;
  /** Of a number. */
  readonly step?: string | undefined;
  readonly pattern?: string | undefined;
  readonly autocomplete?: string | undefined;
  /** Id of the `datalist` that the field offers. */
  readonly list?: string | undefined;
  /** Below the field. */
  readonly children?: ComponentChildren;
}

/** A field for text, with its label and what is to be known about it. */
export function TextField(props: TextFieldProps) {
  const { label, hint, value, onText, type = "text", isLong = false, isRequired, hasFocus, children, ...rest } = props;
  const shared = { class: "input", dir: "auto", value, required: isRequired, autofocus: hasFocus } as const;
  return (
    <label class="field">
      <span class="label">{label}</span>
      {isLong ? (
        <textarea {...shared} onInput={(event) => onText(event.currentTarget.value)} />
      ) : (
        <input
          {...shared}
          {...rest}
          {...KINDS[type]}
          title={rest.pattern === undefined ? undefined : hint}
          onInput={(event) => onText(event.currentTarget.value)}
        />
      )}
      {hint !== undefined && <span class="hint">{hint}</span>}
      {children}
    </label>
  );
}
