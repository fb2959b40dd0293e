import { SETTINGS, type SettingValues } from "./settings.ts";
import { oneOf, parseBoolean } from "./values.ts";

export interface KafkaConfig {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly tls: KafkaTls | undefined;
  readonly sasl:
    | { mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512"; username: string; password: string }
    | undefined;
  readonly mode: "binary" | "structured";
  /** Whether events of the audit trail are sent too. */
  readonly audit: boolean;
}

interface KafkaTls {
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

/**
 * Brokers and topic come from the URL. Everything else comes from its own variable or, without one, from the URL.
 * @throws Error whose message completes the sentence "IMAGE_STORE_KAFKA_URL …"
 */
export function readKafkaSettings(values: SettingValues): KafkaConfig | undefined {
  const url = values.KAFKA_URL;
  if (url === undefined) return undefined;
  const { options } = url;
  const username = values.KAFKA_USERNAME ?? url.username;
  const password = values.KAFKA_PASSWORD ?? url.password;
  const mechanism =
    values.KAFKA_SASL_MECHANISM ??
    (options.mechanism && SETTINGS.KAFKA_SASL_MECHANISM.parse(options.mechanism.toUpperCase()));
  if ((username === undefined) !== (password === undefined))
    throw new Error("must have both a user and a password, or neither");
  if (mechanism && username === undefined) throw new Error("has a SASL mechanism but no user");
  return {
    brokers: url.brokers,
    topic: url.topic,
    tls: kafkaTls(values, options),
    sasl:
      username === undefined || password === undefined
        ? undefined
        : { mechanism: mechanism || "SCRAM-SHA-512", username, password },
    audit: values.KAFKA_AUDIT,
    mode: values.KAFKA_MODE ?? oneOf("binary", "structured")(options.mode ?? "binary"),
  };
}

function kafkaTls(
  values: SettingValues,
  options: { tls?: string; ca?: string; cert?: string; key?: string },
): KafkaTls | undefined {
  const files = {
    caFile: values.KAFKA_CA_FILE ?? options.ca,
    certFile: values.KAFKA_CERT_FILE ?? options.cert,
    keyFile: values.KAFKA_KEY_FILE ?? options.key,
  };
  const namesFile = Object.values(files).some((file) => file !== undefined);
  const wanted = values.KAFKA_TLS ?? (options.tls === undefined ? namesFile : parseBoolean(options.tls));
  if (!wanted && namesFile) throw new Error("has TLS off but names a certificate file");
  if ((files.certFile === undefined) !== (files.keyFile === undefined))
    throw new Error("must have both a client certificate and its key, or neither");
  return wanted ? files : undefined;
}
