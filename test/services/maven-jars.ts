import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { cachedFolder } from "./cached-folder.ts";
import { run } from "./run.ts";

/** A program of Maven Central with all that it depends on. */
export interface MavenJars {
  /** Where they are kept. */
  readonly folder: string;
  /** As `group:artifact:version`. What is named here wins over another version that something else asks for. */
  readonly dependencies: readonly string[];
}

/** What these need and this machine lacks; undefined when all is there. */
export function missingForJars({ folder }: MavenJars): string | undefined {
  if (Bun.which("java") === null) return "Java 17";
  if (!existsSync(folder) && Bun.which("mvn") === null) return "Maven";
  return undefined;
}

/** Fetched once, kept under `.cache`. */
export async function classpathOf({ folder, dependencies }: MavenJars): Promise<string> {
  await cachedFolder(folder, async (empty) => {
    await Bun.write(join(dirname(empty), "pom.xml"), pomOf(dependencies));
    const options = ["-DincludeScope=runtime", `-DoutputDirectory=${empty}`];
    await run(["mvn", "-q", "-B", "dependency:copy-dependencies", ...options], { cwd: dirname(empty) });
  });
  return join(folder, "*");
}

const pomOf = (dependencies: readonly string[]) => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>image-store</groupId><artifactId>test-services</artifactId><version>1</version>
  <dependencies>${dependencies.map(dependencyOf).join("")}
  </dependencies>
</project>
`;

function dependencyOf(coordinates: string): string {
  const [group, artifact, version] = coordinates.split(":");
  return `
    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
}

/**
 * A small JVM: these programs live for seconds.
 * @param options.flags go before the class
 */
export const javaCommand = (
  classpath: string,
  mainClass: string,
  args: readonly string[],
  { heap = "256m", flags = [] }: { heap?: string; flags?: readonly string[] } = {},
): string[] => [
  "java",
  `-Xmx${heap}`,
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  ...flags,
  "-cp",
  classpath,
  mainClass,
  ...args,
];
