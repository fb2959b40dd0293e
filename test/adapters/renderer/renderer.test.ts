import { afterAll, beforeAll } from "bun:test";
import sharp from "sharp";
import { prepareSharp } from "../../../src/adapters/renderer/decoder.ts";
import { describeWithSharp } from "../../../src/adapters/renderer/describe-with-sharp.ts";
import { renderToFile } from "../../../src/adapters/renderer/render-to-file.ts";
import { createRenderer } from "../../../src/adapters/renderer/renderer.ts";
import { MAX_PIXELS, rendererContract } from "../../contracts/renderer.ts";

const options = { maxPixels: MAX_PIXELS, exposeLocation: false };

rendererContract("children", () => createRenderer({ ...options, children: 1 }));

// Coverage does not see into children.
beforeAll(prepareSharp);
// Other tests of this process make images too.
afterAll(() => sharp.unblock({ operation: ["VipsForeignLoad"] }));
rendererContract("in this process", () => ({
  version: "0",
  render: (source, plan, target) => renderToFile({ source, plan, target, ...options }),
  describe: (source) => describeWithSharp({ source, ...options }),
  async [Symbol.asyncDispose]() {},
}));
