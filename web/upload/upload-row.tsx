import { formatBytes } from "../shared/format.ts";
import { Icon } from "../shared/icons.tsx";
import { explainShortly } from "../shared/problem.tsx";
import { texts } from "../texts.ts";
import { isOver, type UploadItem } from "./item.ts";
import { cancel, retry } from "./queue.ts";

/** One file: its name, how far it is, and what became of it in plain words. */
export function UploadRow({ item }: { readonly item: UploadItem }) {
  const { file, status, sent, error } = item;
  const problem = error.value;
  const { value } = status;
  return (
    <li class={`upload ${value}`} data-status={value}>
      <span class="upload-name" dir="auto" title={file.name}>
        {file.name}
      </span>
      <span class="small muted numbers">
        {value === "sending" ? `${formatBytes(sent.value)} / ${formatBytes(file.size)}` : texts.upload.states[value]}
      </span>
      {value === "failed" ? (
        <button
          type="button"
          class="button plain icon"
          aria-label={texts.upload.retry(file.name)}
          title={texts.tryAgain}
          onClick={() => retry([item])}
        >
          <Icon name="retry" size={16} />
        </button>
      ) : (
        !isOver(item) && (
          <button
            type="button"
            class="button plain icon"
            aria-label={texts.upload.cancel(file.name)}
            title={texts.cancel}
            onClick={() => cancel(item)}
          >
            <Icon name="close" size={16} />
          </button>
        )
      )}
      {value === "sending" && (
        <progress aria-label={texts.upload.progress(file.name)} max={Math.max(1, file.size)} value={sent.value} />
      )}
      {value === "failed" && problem !== undefined && (
        <span class="upload-problem small" dir="auto">
          {typeof problem === "string" ? problem : explainShortly(problem)}
        </span>
      )}
    </li>
  );
}
