import type { Image } from "../../client/src/index.ts";
import { ConfirmDialog } from "../shared/form-dialog.tsx";
import { store } from "../shared/store.ts";
import { texts } from "../texts.ts";

interface Props {
  readonly image: Image;
  readonly onClose: () => void;
  readonly onDeleted: () => void;
}

export const DeleteImage = ({ image, onClose, onDeleted }: Props) => (
  <ConfirmDialog
    title={texts.lightbox.deleteTitle(image.title ?? image.name)}
    text={texts.lightbox.deleteText}
    action={texts.album.delete}
    onClose={onClose}
    onConfirm={async () => {
      await store.delete(image.album, image.name);
      onDeleted();
    }}
  />
);
