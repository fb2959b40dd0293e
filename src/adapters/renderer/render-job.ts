import type { Description } from "../../domain/image.ts";
import type { BlobSource, Rendered } from "../../ports.ts";
import { type DescribeOptions, describeWithSharp } from "./describe-with-sharp.ts";
import { type FileJob, renderToFile } from "./render-to-file.ts";

/** What a renderer's child is sent. */
export type RenderJob =
  | ({ readonly task: "render" } & FileJob)
  | ({ readonly task: "describe"; readonly source: BlobSource } & DescribeOptions);

export const runRenderJob = (job: RenderJob): Promise<Rendered | Description> =>
  job.task === "render" ? renderToFile(job) : describeWithSharp(job.source, job);
