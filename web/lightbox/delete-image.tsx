import type { Image } from "../../client/src/index.ts";
import { Dialog } from "../shared/dialog.tsx";
import { Problem } from "../shared/problem.tsx";
import { store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts.ts";

interface Props {
  readonly image: Image;
  readonly onClose: () => void;
  readonly onDeleted: () => void;
}

export function DeleteImage({ image, onClose, onDeleted }: Props) {
  const { busy, error, submit } = useSubmit(async () => {
    await store.delete(image.album, image.name);
    onDeleted();
  });
  return (
    <Dialog title={texts.lightbox.deleteTitle(image.title ?? image.name)} onClose={onClose}>
      <p>{texts.lightbox.deleteText}</p>
      {error.value !== undefined && <Problem error={error.value} />}
      <div class="form-end">
        <button type="button" class="button" autofocus onClick={onClose}>
          {texts.cancel}
        </button>
        <button type="button" class="button danger" disabled={busy.value} onClick={() => void submit()}>
          {texts.album.delete}
        </button>
      </div>
    </Dialog>
  );
}
