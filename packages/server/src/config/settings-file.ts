import type { DeclaredPorts } from "../base/declared-ports.ts";
import type { SequenceControl } from "../base/sequence-control.ts";
import type { YamlFile } from "./yaml-file.ts";

/** What the files beside a model say, whoever's files they are; plain data. */
export interface SettingsFile extends YamlFile {
  /** What a file of another server says of inputs and outputs. */
  readonly ports?: DeclaredPorts;
  /** Inputs that say where in its sequence a request stands. */
  readonly controls?: readonly SequenceControl[];
  /** What it asks for and does not get, each in a sentence. */
  readonly remarks?: readonly string[];
  /** Why the model cannot be served as the file asks. */
  readonly refusal?: string;
  /** Name of the file that is the model. */
  readonly modelFile?: string;
}
