import { type ComponentChildren, createContext } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

/** Whether it is in a modal dialog, beside which nothing can be pressed. */
export const InDialog = createContext(false);

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  readonly wide?: boolean;
  readonly children: ComponentChildren;
}

/** A modal dialog: the browser keeps the focus in it and gives it back. */
export function Dialog({ title, onClose, wide = false, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      class={wide ? "dialog wide" : "dialog"}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onKeyDown={(event) => event.stopPropagation()}
      onMouseDown={(event) => {
        if (event.target === event.currentTarget && isOutside(event)) onClose();
      }}
    >
      <div class="stack">
        <h2 id={id} class="dialog-title">
          <bdi>{title}</bdi>
        </h2>
        <InDialog.Provider value={true}>{children}</InDialog.Provider>
      </div>
    </dialog>
  );
}

function isOutside({ currentTarget, clientX, clientY }: MouseEvent): boolean {
  const box = (currentTarget as Element).getBoundingClientRect();
  return clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom;
}
