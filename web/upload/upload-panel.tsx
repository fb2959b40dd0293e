import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { formatBytes, formatSeconds } from "../shared/format.ts";
import { Icon, type IconName } from "../shared/icons.tsx";
import { SignInBeside } from "../shared/problem.tsx";
import { sessionEnded } from "../shared/store.ts";
import { texts } from "../texts.ts";
import { isOver } from "./item.ts";
import { speed, startMeasuring, totals } from "./pace.ts";
import { ChooseAlbum, NamesTaken } from "./questions.tsx";
import { cancelAll, isActive, isOffline, isPaused, items, pause, resume, retry } from "./queue.ts";
import { unsent } from "./unsent.ts";
import { UnsentNote } from "./unsent-note.tsx";
import { UploadRow } from "./upload-row.tsx";

/** So many files are listed; what needs the person comes first. */
const MAX_LISTED = 100;
const RANKS = { failed: 0, taken: 1, sending: 2, checking: 3, waiting: 4, skipped: 5, present: 6, done: 7 } as const;

export function UploadPanel() {
  const isOpen = useSignal(true);
  useEffect(() => startMeasuring(), []);
  return (
    <>
      {(items.value.length > 0 || unsent.value.length > 0) && (
        <section class="uploads" aria-label={texts.upload.title}>
          <UnsentNote />
          {items.value.length > 0 && <Head isOpen={isOpen.value} onToggle={() => (isOpen.value = !isOpen.value)} />}
          {sessionEnded.value && isActive.value && <SignInBeside advice={texts.upload.ended} />}
          {isOpen.value && items.value.length > 0 && <List />}
        </section>
      )}
      <NamesTaken />
      <ChooseAlbum />
    </>
  );
}

function Head({ isOpen, onToggle }: { readonly isOpen: boolean; readonly onToggle: () => void }) {
  const { bytes, over, finished, count } = totals.value;
  const failed = items.value.filter(({ status }) => status.value === "failed");
  const pace = speed.value ?? 0;
  const left = pace > 0 ? texts.upload.left(formatBytes(pace), formatSeconds((bytes - over) / pace)) : "";
  const note = !isActive.value
    ? texts.upload.finished(finished - failed.length, failed.length)
    : isOffline.value
      ? texts.upload.offline
      : isPaused.value
        ? texts.upload.paused
        : left;
  return (
    <header>
      <div class="uploads-head">
        <button type="button" class="button plain uploads-title" aria-expanded={isOpen} onClick={onToggle}>
          {isActive.value ? texts.upload.running(finished, count) : texts.upload.over}
        </button>
        {isActive.value ? (
          <>
            {isPaused.value ? (
              <Tool icon="play" text={texts.upload.resume} onClick={resume} />
            ) : (
              <Tool icon="pause" text={texts.upload.pause} onClick={pause} />
            )}
            <Tool icon="close" text={texts.upload.cancelAll} onClick={cancelAll} />
          </>
        ) : (
          <>
            {failed.length > 0 && <Tool icon="retry" text={texts.upload.retryAll} onClick={() => retry(failed)} />}
            <Tool icon="close" text={texts.close} onClick={cancelAll} />
          </>
        )}
      </div>
      <progress aria-label={texts.upload.all} max={Math.max(1, bytes)} value={over} />
      <p class="small muted numbers" role="status">
        {note}
      </p>
    </header>
  );
}

function List() {
  const listed = [...items.value].sort((one, other) => RANKS[one.status.value] - RANKS[other.status.value]);
  const more = listed.length - MAX_LISTED;
  return (
    <ul tabIndex={0} aria-label={texts.upload.files}>
      {listed.slice(0, MAX_LISTED).map((item) => (
        <UploadRow key={item.id} item={item} />
      ))}
      {more > 0 && (
        <li class="muted small">{texts.upload.andMore(more, listed.slice(MAX_LISTED).filter(isOver).length)}</li>
      )}
    </ul>
  );
}

interface ToolProps {
  readonly icon: IconName;
  readonly text: string;
  readonly onClick: () => void;
}

const Tool = ({ icon, text, onClick }: ToolProps) => (
  <button type="button" class="button plain icon" aria-label={text} title={text} onClick={onClick}>
    <Icon name={icon} size={18} />
  </button>
);
