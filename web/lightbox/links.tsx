import { useSignal } from "@preact/signals";
import type { Image } from "../../client/src/index.ts";
import { copyText } from "../shared/clipboard.ts";
import { Icon } from "../shared/icons.tsx";
import { Problem } from "../shared/problem.tsx";
import { urlOf } from "../shared/router.ts";
import { contentUrl, store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts.ts";

const WIDTHS = [320, 640, 1280, 1920, 3840];
const LIVES = [3600, 86_400, 604_800];

/** Addresses of this picture: of the page, of the bytes, of a size, and one that works without signing in until a time. */
export function Links({
  image,
  canSign,
  hasOriginal,
}: {
  readonly image: Image;
  readonly canSign: boolean;
  readonly hasOriginal: boolean;
}) {
  const width = useSignal(hasOriginal ? 0 : 1280);
  const life = useSignal(86_400);
  const sized = width.value === 0 ? undefined : width.value;
  const { busy, error, submit } = useSubmit(async () => {
    const { url } = await store.send("POST", "/v1/albums/{album}/images/{image}/links", {
      path: { album: image.album, image: image.name },
      body: { expiresIn: life.value, ...(sized === undefined ? {} : { variant: { w: sized, format: "webp" } }) },
    });
    await copyText(new URL(url, location.href).href);
  });
  return (
    <section class="stack">
      <h3>{texts.links.title}</h3>
      <div class="row">
        <select
          class="input auto"
          aria-label={texts.links.size}
          value={String(width.value)}
          onChange={(event) => (width.value = Number(event.currentTarget.value))}
        >
          {hasOriginal && <option value="0">{texts.links.original}</option>}
          {WIDTHS.filter((one) => one < image.width).map((one) => (
            <option key={one} value={one}>
              {texts.links.width(one)}
            </option>
          ))}
        </select>
        <button
          type="button"
          class="button"
          onClick={() => void copyText(new URL(contentUrl(image, sized), location.href).href)}
        >
          <Icon name="link" size={18} />
          {texts.links.copy}
        </button>
      </div>
      {canSign && (
        <div class="row">
          <select
            class="input auto"
            aria-label={texts.links.life}
            value={String(life.value)}
            onChange={(event) => (life.value = Number(event.currentTarget.value))}
          >
            {LIVES.map((seconds) => (
              <option key={seconds} value={seconds}>
                {texts.links.lives[seconds]}
              </option>
            ))}
          </select>
          <button type="button" class="button" disabled={busy.value} onClick={() => void submit()}>
            <Icon name="link" size={18} />
            {texts.links.copySigned}
          </button>
        </div>
      )}
      <div class="row">
        <button
          type="button"
          class="button"
          onClick={() => void copyText(new URL(urlOf.image(image.album, image.id), location.href).href)}
        >
          <Icon name="link" size={18} />
          {texts.links.copyPage}
        </button>
      </div>
      {error.value !== undefined && <Problem error={error.value} />}
    </section>
  );
}
