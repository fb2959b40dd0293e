/** An environment variable: its parser, its default and its documentation. */
export interface Setting<Value> {
  readonly parse: (text: string) => Value;
  /** Whole sentences; the first is a noun phrase or an imperative. */
  readonly help: string;
  readonly default?: string;
  /** The default as people read it, where it is computed or empty. */
  readonly defaultHelp?: string;
  /** Name of the flag that overrides the variable, without dashes. */
  readonly flag?: string;
}
