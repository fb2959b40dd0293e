import { texts } from "../texts.ts";
import { pickFiles } from "./intake.tsx";
import { forgetUnsent, unsent } from "./unsent.ts";

/** Says which files an earlier page has not sent, and takes them again. */
export const UnsentNote = () =>
  unsent.value.length === 0 ? null : (
    <ul class="unsent">
      {unsent.value.map(({ album, count, total }) => (
        <li key={album.id}>
          <p role="status" dir="auto">
            {texts.unsent.text(count, total, album.name)}
          </p>
          <p class="small muted">{texts.unsent.hint}</p>
          <div class="row">
            <button type="button" class="button" onClick={() => pickFiles("files", album)}>
              {texts.unsent.files}
            </button>
            <button type="button" class="button" onClick={() => pickFiles("folder", album)}>
              {texts.unsent.folder}
            </button>
            <button type="button" class="button plain" onClick={() => forgetUnsent(album)}>
              {texts.unsent.forget}
            </button>
          </div>
        </li>
      ))}
    </ul>
  );
