import type { ZipArchive } from "../archive/zip.ts";
import type { Platform } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { pickledWeights } from "./pickled-weights.ts";
import type { WeightLookup } from "./program-reader.ts";
import { rawWeights } from "./raw-weights.ts";

/** Where the parts of a program file lie. */
export interface ProgramLayout {
  /** For messages, such as "PT2 archive". */
  readonly name: string;
  /** The entry that holds the program as JSON. */
  readonly program: string;
  /** The entry that holds example inputs, if there is one. */
  readonly samples: string | undefined;
  readonly weights: WeightLookup;
}

const FLAT_PROGRAM = "serialized_exported_program.json";
const MODEL = /^(.*?)models\/([^/]+)\.json$/;

/**
 * Finds the parts of a program file: the PT2 archive of torch 2.9 and later (raw weights), that of 2.8 (pickled ones), or the flat zip
 * of 2.1 to 2.7. Nothing but small tables and pickles is read. Throws ModelFileError.
 */
export function findLayout(zip: ZipArchive, platform: Platform): ProgramLayout {
  if (zip.entries.has(FLAT_PROGRAM)) return flatLayout(zip, platform);
  const { root, model } = chooseModel(zip);
  checkByteOrder(zip, root);
  const config = (kind: string): string => `${root}data/${kind}/${model}_${kind}_config.json`;
  const isRaw = zip.entries.has(config("weights")) || zip.entries.has(config("constants"));
  const pickled = {
    weight: `${root}data/weights/${model}.pt`,
    constant: `${root}data/constants/${model}.pt`,
  };
  return {
    name: isRaw ? "PT2 archive" : "PT2 archive with pickled weights",
    program: `${root}models/${model}.json`,
    samples: present(zip, `${root}data/sample_inputs/${model}.pt`),
    weights: isRaw ? rawWeights(zip, platform, { root, model }) : pickledWeights(zip, platform, pickled),
  };
}

function flatLayout(zip: ZipArchive, platform: Platform): ProgramLayout {
  // torch 2.1 and 2.2 called the pickles .json.
  const part = (name: string): string => present(zip, `${name}.pt`) ?? `${name}.json`;
  const pickled = { weight: part("serialized_state_dict"), constant: part("serialized_constants") };
  return {
    name: "flat archive",
    program: FLAT_PROGRAM,
    samples: present(zip, "serialized_example_inputs.pt"),
    weights: pickledWeights(zip, platform, pickled),
  };
}

/** An archive may hold several models; the one that torch.export.save writes is called "model". */
function chooseModel(zip: ZipArchive): { root: string; model: string } {
  const found = [...zip.entries.keys()].flatMap((name) => {
    const [, root, model] = MODEL.exec(name) ?? [];
    return root === undefined || model === undefined ? [] : [{ root, model }];
  });
  const chosen = found.find(({ model }) => model === "model") ?? found[0];
  if (chosen === undefined)
    throw new ModelFileError("corrupt", "the archive holds no program (models/*.json)");
  if (chosen.model !== "model" && found.length > 1) {
    const names = found.map(({ model }) => `'${model}'`).join(", ");
    throw new ModelFileError(
      "unsupported",
      `the archive holds the models ${names}, and none is called 'model'; save each in a file of its own`,
    );
  }
  return chosen;
}

function present(zip: ZipArchive, name: string): string | undefined {
  return zip.entries.has(name) ? name : undefined;
}

function checkByteOrder(zip: ZipArchive, root: string): void {
  const name = `${root}byteorder`;
  const size = zip.entries.get(name)?.byteLength;
  if (size === undefined) return;
  if (size > 16) throw new ModelFileError("corrupt", "the archive's byte order is not known");
  const order = new TextDecoder().decode(zip.read(name)).trim();
  if (order !== "little") {
    throw new ModelFileError(
      "unsupported",
      "the file was saved on a big-endian machine; save it again on a little-endian one",
    );
  }
}
