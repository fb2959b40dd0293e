import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";

const VERSION = "4.1.1";
const CACHE = join(import.meta.dir, "../../.cache/kafka");
const JARS = join(CACHE, VERSION);

/** The broker, its command-line tools (a consumer that is not ours) and a logger for both. */
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>image-store</groupId><artifactId>test-kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`;

/** What a Kafka of our own needs and this machine lacks; undefined when all is there. */
export function missingForKafka(): string | undefined {
  if (Bun.which("java") === null) return "Java 17";
  if (!existsSync(JARS) && Bun.which("mvn") === null) return "Maven";
  return undefined;
}

/** Fetched once, kept under `.cache`. */
export async function kafkaClasspath(): Promise<string> {
  if (!existsSync(JARS)) await fetchJars();
  return join(JARS, "*");
}

async function fetchJars(): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, "fetch-"));
  try {
    await Bun.write(join(folder, "pom.xml"), POM);
    await run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars"], {
      cwd: folder,
    });
    await rename(join(folder, "jars"), JARS).catch((error: unknown) => {
      if (!existsSync(JARS)) throw error;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A small JVM: these programs live for seconds. */
export const javaCommand = (classpath: string, mainClass: string, args: readonly string[]): string[] => [
  "java",
  "-Xmx256m",
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
  "-cp",
  classpath,
  mainClass,
  ...args,
];

/** @returns standard output */
export async function run(command: string[], options: { cwd?: string } = {}): Promise<string> {
  const child = Bun.spawn(command, { ...options, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [output, errors, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (exitCode !== 0) throw new Error(`${command[0]} failed (${exitCode}):\n${output}\n${errors}`);
  return output;
}
