import type { ComponentChildren } from "preact";
import { texts } from "../texts.ts";
import { Dialog } from "./dialog.tsx";
import { FormEnd, type FormEndProps } from "./form.tsx";
import { Problem } from "./problem.tsx";
import { useSubmit } from "./submit.ts";

interface FormDialogProps extends Pick<FormEndProps, "form" | "action" | "onRetry" | "isDisabled"> {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** A dialog that is one form. */
export const FormDialog = ({ title, onClose, children, form, ...end }: FormDialogProps) => (
  <Dialog title={title} onClose={onClose}>
    <form class="stack" onSubmit={form.onSubmit}>
      {children}
      <FormEnd form={form} onCancel={onClose} {...end} />
    </form>
  </Dialog>
);

interface ConfirmProps {
  readonly title: string;
  readonly text: string;
  /** What the button says that does it. */
  readonly action: string;
  readonly onConfirm: () => void | Promise<void>;
  readonly onClose: () => void;
}

/** A question before what can't be undone. The way out has the focus. */
export function ConfirmDialog({ title, text, action, onConfirm, onClose }: ConfirmProps) {
  const { busy, error, submit } = useSubmit(async () => onConfirm());
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{text}</p>
      {error.value !== undefined && <Problem error={error.value} />}
      <div class="form-end">
        <button type="button" class="button" autofocus onClick={onClose}>
          {texts.cancel}
        </button>
        <button type="button" class="button danger" disabled={busy.value} onClick={() => void submit()}>
          {action}
        </button>
      </div>
    </Dialog>
  );
}
