import type { ComponentChildren } from "preact";
import { copyText } from "../shared/clipboard.ts";
import { Dialog } from "../shared/dialog.tsx";
import { texts } from "../texts-admin.ts";

interface Props {
  readonly title: string;
  readonly text: string;
  readonly secret: string;
  readonly onClose: () => void;
  /** More buttons. */
  readonly children?: ComponentChildren;
}

/** A secret that the store shows once. */
export const SecretDialog = ({ title, text, secret, onClose, children }: Props) => (
  <Dialog title={title} onClose={onClose}>
    <p>{text}</p>
    <input class="input mono" readOnly aria-label={title} value={secret} />
    <div class="form-end">
      <button type="button" class="button primary" onClick={() => void copyText(secret)}>
        {texts.copy}
      </button>
      {children}
      <button type="button" class="button" onClick={onClose}>
        {texts.close}
      </button>
    </div>
  </Dialog>
);
