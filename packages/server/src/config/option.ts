/** What an option's value may be. A row of an option table is data, so flags, environment, files, help and docs all read it. */
export type OptionRow =
  | { readonly kind: "text"; readonly default: string | null; readonly doc: string }
  | {
      readonly kind: "choice";
      readonly choices: readonly string[];
      readonly default: string;
      readonly doc: string;
    }
  | { readonly kind: "flag"; readonly default: boolean; readonly doc: string }
  | RangedRow<"integer" | "number">
  /** Milliseconds inside; `250us`, `5ms`, `30s`, `2m`, `1h` or a plain number of milliseconds outside. Named `…Ms`. */
  | RangedRow<"duration">
  /** Bytes inside; `64MiB`, `2GB` or a plain number of bytes outside. Named `…Bytes`. */
  | RangedRow<"bytes">
  /** `auto` or a whole number. */
  | {
      readonly kind: "count-or-auto";
      readonly min: number;
      readonly max: number;
      readonly default: number | "auto";
      readonly doc: string;
    }
  | { readonly kind: "integers"; readonly default: readonly number[]; readonly doc: string }
  | { readonly kind: "texts"; readonly default: readonly string[]; readonly doc: string }
  /** Names and what they are set to. */
  | {
      readonly kind: "mapping";
      readonly default: null;
      /** One entry, for messages. */
      readonly example: string;
      readonly doc: string;
    };

interface RangedRow<Kind extends string> {
  readonly kind: Kind;
  readonly min: number;
  readonly max: number;
  /** Null: the option has no value unless it is set. */
  readonly default: number | null;
  readonly doc: string;
}

export type OptionTable = Readonly<Record<string, OptionRow>>;

interface KindValues {
  readonly text: string;
  readonly flag: boolean;
  readonly integer: number;
  readonly number: number;
  readonly duration: number;
  readonly bytes: number;
  readonly "count-or-auto": number | "auto";
  readonly integers: readonly number[];
  readonly texts: readonly string[];
  readonly mapping: Readonly<Record<string, string>>;
}

type RowValue<Row extends OptionRow> = Row extends { kind: "choice"; choices: readonly (infer C)[] }
  ? C
  :
      | (Row["kind"] extends keyof KindValues ? KindValues[Row["kind"]] : never)
      | (Row["default"] extends null ? undefined : never);

/** The values of a table, after parsing: every key present, `undefined` only where the default is null. */
export type OptionValues<Table> = {
  readonly [Key in keyof Table]: Table[Key] extends OptionRow ? RowValue<Table[Key]> : never;
};

/** `maxQueueDelayMs` → `max_queue_delay`: the name in files. Units live in the value there, so the suffix goes. */
export function fileKey(name: string): string {
  return name.replace(/(Ms|Bytes)$/, "").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `maxQueueDelayMs` → `--max-queue-delay`. */
export function flagName(name: string): string {
  return `--${fileKey(name).replaceAll("_", "-")}`;
}

/** `maxQueueDelayMs` → `SCONCE_MAX_QUEUE_DELAY`. */
export function envName(name: string): string {
  return `SCONCE_${fileKey(name).toUpperCase()}`;
}
