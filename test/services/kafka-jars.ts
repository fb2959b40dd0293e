import { join } from "node:path";
import { CACHE } from "./cached-folder.ts";
import { classpathOf, javaCommand, type MavenJars, missingForJars } from "./maven-jars.ts";

const VERSION = "4.1.1";

/** The broker, its command-line tools (a consumer that is not ours) and a logger for both. */
const JARS: MavenJars = {
  folder: join(CACHE, "kafka", VERSION),
  dependencies: [
    `org.apache.kafka:kafka_2.13:${VERSION}`,
    `org.apache.kafka:kafka-tools:${VERSION}`,
    "org.slf4j:slf4j-simple:1.7.36",
  ],
};

/** What a Kafka of our own needs and this machine lacks; undefined when all is there. */
export const missingForKafka = (): string | undefined => missingForJars(JARS);

/** Of the broker and of Kafka's own tools. */
export const kafkaCommand = async (mainClass: string, args: readonly string[]): Promise<string[]> =>
  javaCommand(await classpathOf(JARS), mainClass, args, {
    flags: ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"],
  });
