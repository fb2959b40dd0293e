import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { albums } from "./albums.ts";
import { allocations } from "./allocations.ts";
import { batches } from "./batches.ts";
import { disposeOfBroker } from "./broker.ts";
import { callers } from "./callers.ts";
import { cold } from "./cold.ts";
import { connections } from "./connections.ts";
import { content } from "./content.ts";
import { describeLoad } from "./describe-load.ts";
import { endurance } from "./endurance.ts";
import { fleet } from "./fleet.ts";
import { fleetProfile } from "./fleet-profile.ts";
import { disposeOfServers } from "./fleet-servers.ts";
import type { Benchmark, Context, Row } from "./frame.ts";
import { handlers } from "./handlers.ts";
import { kafka } from "./kafka.ts";
import { kafkaDown } from "./kafka-down.ts";
import { lighthouse } from "./lighthouse.ts";
import { limited } from "./limited.ts";
import { describeMachine } from "./machine.ts";
import { manyFiles } from "./many-files.ts";
import { mixed } from "./mixed.ts";
import { notifications } from "./notifications.ts";
import { page } from "./page.ts";
import { pages } from "./pages.ts";
import { peers } from "./peers.ts";
import { quotas } from "./quotas.ts";
import { record } from "./record.ts";
import { renders } from "./renders.ts";
import { road } from "./road.ts";
import { soak } from "./soak.ts";
import { sse } from "./sse.ts";
import { start } from "./start.ts";
import { formatTable, type Report, summarise } from "./table.ts";
import { transfers } from "./transfers.ts";
import { upload } from "./upload.ts";
import { uploadProfile } from "./upload-profile.ts";
import { variantLoad } from "./variant-load.ts";
import { variants } from "./variants.ts";
import { webhooks } from "./webhooks.ts";
import { zip } from "./zip.ts";

const BENCHMARKS: readonly Benchmark[] = [
  start,
  upload,
  uploadProfile,
  transfers,
  manyFiles,
  zip,
  quotas,
  albums,
  batches,
  content,
  callers,
  record,
  road,
  allocations,
  peers,
  connections,
  mixed,
  variants,
  renders,
  variantLoad,
  describeLoad,
  soak,
  endurance,
  notifications,
  pages,
  page,
  lighthouse,
  limited,
  cold,
  sse,
  webhooks,
  handlers,
  kafka,
  kafkaDown,
  fleet,
  fleetProfile,
];
const CACHE = join(import.meta.dir, "..", ".cache", "bench");

const USAGE = `npm run bench -- [NAME…] [--smoke] [--runs N] [--minutes N] [--json FILE]

  --smoke      Small sizes and short runs, to check the programs; the figures are meaningless.
  --runs N     Runs per contender, interleaved (default 5).
  --minutes N  Duration of the soak benchmarks.
  --json FILE  Output file of the figures (default .cache/bench/<date>.json).

${BENCHMARKS.map(({ name, about }) => `  ${name.padEnd(14)} ${about}`).join("\n")}
`;

process.exit(await main());

async function main(): Promise<number> {
  try {
    return await runAll();
  } finally {
    await disposeOfBroker();
    await disposeOfServers();
  }
}

async function runAll(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      smoke: { type: "boolean", default: false },
      runs: { type: "string" },
      minutes: { type: "string" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const unknown = positionals.filter((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name));
  if (values.help || unknown.length > 0) {
    console.error(unknown.length > 0 ? `Unknown benchmark ${unknown.join(", ")}.\n\n${USAGE}` : USAGE);
    return values.help ? 0 : 2;
  }

  await mkdir(CACHE, { recursive: true });
  const { smoke } = values;
  const runs = Number(values.runs ?? (smoke ? 1 : 5));
  const machine = await describeMachine(CACHE);
  const date = new Date().toISOString();
  const results: { name: string; rows: readonly Row[] }[] = [];
  const failed: string[] = [];
  for (const benchmark of BENCHMARKS) {
    if (positionals.length > 0 && !positionals.includes(benchmark.name)) continue;
    const folder = await mkdtemp(join(CACHE, `${benchmark.name}-`));
    const context: Context = {
      smoke,
      runs,
      seconds: (full) => (smoke ? Math.min(full, 0.5) : full),
      minutes: values.minutes === undefined ? undefined : Number(values.minutes),
      folder,
      cache: CACHE,
      say: (text) => console.error(`${benchmark.name}: ${text}`),
    };
    try {
      context.say(benchmark.about);
      const rows = await benchmark.run(context);
      results.push({ name: benchmark.name, rows });
      console.log(`\n${formatTable(rows)}\n`);
    } catch (error) {
      failed.push(benchmark.name);
      console.error(`${benchmark.name} FAILED:`, error);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  const report: Report = { date, smoke, runs, machine, benchmarks: results };
  const file = values.json ?? join(CACHE, `${date.replaceAll(":", "-")}.json`);
  await mkdir(dirname(file), { recursive: true });
  const rows = results.map((result) => ({ ...result, rows: result.rows.map(summarise) }));
  await Bun.write(file, `${JSON.stringify({ ...report, benchmarks: rows }, undefined, 2)}\n`);
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  console.log(
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, ${machine.fileSystem}`,
  );
  console.log(`${versions.join("; ")}; ${date}`);
  if (smoke) console.log("Smoke run: the figures are meaningless.");
  console.log(`Figures: ${file}`);
  if (failed.length > 0) console.error(`FAILED: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
}
