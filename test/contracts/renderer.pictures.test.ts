import { afterAll, beforeAll } from "bun:test";
import sharp from "sharp";
import { prepareSharp } from "../../src/adapters/renderer/prepare-sharp.ts";
import { runRenderJob } from "../../src/adapters/renderer/render-job.ts";
import { createRenderer } from "../../src/adapters/renderer/renderer.ts";
import type { Description } from "../../src/domain/image.ts";
import type { Rendered } from "../../src/ports.ts";
import { MAX_PIXELS, rendererContract } from "./renderer.ts";

const options = { maxPixels: MAX_PIXELS, exposeLocation: false };

rendererContract("children", () => createRenderer({ ...options, children: 1 }));

// Coverage does not see into children.
beforeAll(prepareSharp);
// Other tests of this process make images too.
afterAll(() => sharp.unblock({ operation: ["VipsForeignLoad"] }));
rendererContract("in this process", () => ({
  version: "0",
  render: (source, picture, target) =>
    runRenderJob({ task: "render", source, picture, target, ...options } as never) as Promise<Rendered>,
  describe: (source) => runRenderJob({ task: "describe", source, ...options }) as Promise<Description>,
  async [Symbol.asyncDispose]() {},
}));
