import type { Signal } from "@preact/signals";
import { splitTags } from "../shared/tags.ts";
import { texts } from "../texts.ts";
import { TextQuestion } from "./text-question.tsx";

/** What people are asked before something is done with the chosen pictures. */
export type Asked = "tags" | "album" | undefined;

interface Props {
  /** Of chosen pictures. */
  readonly count: number;
  readonly asked: Signal<Asked>;
  readonly onTag: (tags: readonly string[]) => void;
  /** @param album a name */
  readonly onMove: (album: string) => void;
}

/** Which tags the chosen pictures get, or to which album they move. */
export function SelectionQuestions({ count, asked, onTag, onMove }: Props) {
  const close = () => (asked.value = undefined);
  if (asked.value === "tags")
    return (
      <TextQuestion
        title={texts.album.tagTitle(count)}
        label={texts.album.tagsField}
        action={texts.album.tag}
        onClose={close}
        onAnswer={(text) => {
          close();
          onTag(splitTags(text));
        }}
      />
    );
  if (asked.value === "album")
    return (
      <TextQuestion
        title={texts.album.moveTitle(count)}
        label={texts.album.moveField}
        action={texts.album.move}
        isAlbum
        onClose={close}
        onAnswer={(album) => {
          close();
          onMove(album);
        }}
      />
    );
  return null;
}
