import { useSignal } from "@preact/signals";
import type { Album } from "../../client/src/index.ts";
import { chooseCover } from "../albums/choose-cover.ts";
import { Dialog } from "../shared/dialog.tsx";
import { Icon, type IconName } from "../shared/icons.tsx";
import { Problem } from "../shared/problem.tsx";
import { may, mayGetOriginals } from "../shared/session.ts";
import { showError, showToast } from "../shared/toast.tsx";
import { texts } from "../texts.ts";
import { addTags, downloadImages, moveImages, type Progress } from "./actions.ts";
import type { AlbumState } from "./album-state.ts";
import type { Chosen } from "./chosen.ts";
import type { Selection } from "./selection.ts";
import { type Asked, SelectionQuestions } from "./selection-questions.tsx";

interface Props {
  readonly state: AlbumState;
  readonly album: Album;
  readonly selection: Selection;
  readonly onDelete: () => void;
}

type Action = (
  ids: Chosen,
  onProgress: (progress: Progress) => void,
) => Promise<{ readonly finished: number; readonly failures: readonly unknown[] }>;

/** What can be done with the chosen pictures. */
export function SelectionBar({ state, album, selection, onDelete }: Props) {
  const progress = useSignal<Progress | undefined>(undefined);
  const problem = useSignal<unknown>(undefined);
  const asked = useSignal<Asked>(undefined);
  const count = selection.size;

  async function run(action: Action, done: (count: number) => string): Promise<void> {
    const ids = selection.chosen.value;
    problem.value = undefined;
    progress.value = { done: 0, total: ids.size };
    try {
      const { failures, finished } = await action(ids, (now) => (progress.value = now));
      if (finished > 0) showToast(done(finished));
      if (failures.length > 0) problem.value = failures[0];
      else selection.clear();
      await state.load();
    } finally {
      progress.value = undefined;
      selection.keep(state.columns);
    }
  }

  async function useAsCover(): Promise<void> {
    const [id] = selection.chosen.value;
    try {
      const { columns } = state;
      const createdAt = id === undefined ? undefined : columns.createdAt[columns.indexOf(id)];
      if (id !== undefined && createdAt !== undefined) state.album.value = await chooseCover(album, { id, createdAt });
      selection.clear();
    } catch (error) {
      showError(error);
    }
  }

  if (count === 0) return null;
  const running = progress.value;
  return (
    <>
      <div class="selection-bar" role="toolbar" aria-label={texts.album.chosenActions}>
        <button
          type="button"
          class="button plain icon"
          aria-label={texts.album.clear}
          onClick={() => selection.clear()}
        >
          <Icon name="close" />
        </button>
        <strong class="numbers" role="status">
          {running === undefined ? texts.album.chosen(count) : texts.album.progress(running.done, running.total)}
        </strong>
        <span class="spring" />
        {mayGetOriginals(album) && (
          <ActionButton
            icon="download"
            text={texts.album.download}
            onClick={() => {
              run((ids, onProgress) => downloadImages(ids, onProgress, album), texts.album.downloaded).catch(showError);
            }}
          />
        )}
        {may("write", album) && (
          <ActionButton icon="tag" text={texts.album.tag} onClick={() => (asked.value = "tags")} />
        )}
        {count === 1 && may("write", album) && (
          <ActionButton icon="picture" text={texts.album.useAsCover} onClick={() => void useAsCover()} />
        )}
        {may("delete", album) && may("write") && (
          <ActionButton icon="move" text={texts.album.move} onClick={() => (asked.value = "album")} />
        )}
        {may("delete", album) && <ActionButton icon="trash" text={texts.album.delete} onClick={onDelete} />}
      </div>
      {problem.value !== undefined && (
        <Dialog title={texts.album.notAll} onClose={() => (problem.value = undefined)}>
          <Problem error={problem.value} />
        </Dialog>
      )}
      <SelectionQuestions
        count={count}
        asked={asked}
        onTag={(added) => {
          run((ids, onProgress) => addTags(ids, onProgress, added), texts.album.tagged).catch(showError);
        }}
        onMove={(to) => {
          run((ids, onProgress) => moveImages(ids, onProgress, to), texts.album.moved).catch(showError);
        }}
      />
    </>
  );
}

interface ActionProps {
  readonly icon: IconName;
  readonly text: string;
  readonly onClick: () => void;
}

const ActionButton = ({ icon, text, onClick }: ActionProps) => (
  <button type="button" class="button plain" aria-label={text} title={text} onClick={onClick}>
    <Icon name={icon} />
    <span class="word">{text}</span>
  </button>
);
