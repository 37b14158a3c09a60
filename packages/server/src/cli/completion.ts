import { flagName, type OptionTable } from "../config/option.ts";
import type { Command } from "./command.ts";
import { usageError } from "./usage-error.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** What a shell completes: a command's name, and its flags with their words. */
interface Completed {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** What may stand behind its name; empty: files, or names that only a server knows. */
  readonly words: readonly string[];
}

interface Flag {
  readonly name: string;
  readonly doc: string;
  readonly choices: readonly string[];
  readonly takesValue: boolean;
}

type Commands = ReadonlyMap<string, () => Promise<Command>>;

/** The command that completes the others, and itself. */
export const completionCommand = (commands: Commands): Command => ({
  name: "completion",
  usage: "bash | zsh | fish",
  summary:
    "Prints what makes a shell complete commands and options: source <(sconce completion bash), or sconce completion fish | source.",
  tables: [],
  async run(args, terminal) {
    const shell = SHELLS.find((name) => name === args.positionals[0]);
    if (shell === undefined || args.positionals.length > 1) {
      throw usageError(
        `expected one of ${SHELLS.join(", ")}, got ${args.positionals.join(" ") || "nothing"}`,
      );
    }
    const loaded = await Promise.all(Array.from(commands.values(), (load) => load()));
    terminal.stdout.write(SCRIPTS[shell](loaded.map(completed)));
    return 0;
  },
});

function completed({ name, usage, summary, tables }: Command): Completed {
  const rows = Object.entries(Object.assign({}, ...tables) as OptionTable);
  return {
    name,
    summary,
    flags: [
      ...rows.map(([key, row]) => ({
        name: flagName(key),
        doc: firstSentence(row.doc),
        choices: row.kind === "choice" ? row.choices : [],
        takesValue: row.kind !== "flag",
      })),
      { name: "--help", doc: "Prints the help of the command", choices: [], takesValue: false },
    ],
    words: choicesOf(usage),
  };
}

/** `bash | zsh | fish` is a choice of words, `FILE | FOLDER` is none. */
function choicesOf(usage: string): readonly string[] {
  const words = usage.split(" | ");
  return words.length > 1 && words.every((word) => /^[a-z]+$/.test(word)) ? words : [];
}

function firstSentence(text: string): string {
  return text.split(/(?<=[.:;]) /)[0]!.replace(/[.:;]$/, "");
}

const SCRIPTS: Readonly<Record<Shell, (commands: readonly Completed[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

const names = (commands: readonly Completed[]): string => commands.map(({ name }) => name).join(" ");

function bashScript(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, flags, words }) => {
    const choices = flags
      .filter(({ choices }) => choices.length > 0)
      .map((flag) => `        ${flag.name}) words="${flag.choices.join(" ")}" ;;`);
    const own = flags.map((flag) => flag.name).join(" ");
    const byFlag = choices.length === 0 ? [] : ['      case "$before" in', ...choices, "      esac"];
    const first = words.length === 0 ? [] : [`      words="${words.join(" ")}"`];
    const flagged = `      [[ $word == -* ]] && words="${own}"`;
    return [`    ${name})`, ...first, flagged, ...byFlag, "      ;;"].join("\n");
  });
  return `# sconce: completion for bash
_sconce() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} words=""
  if (( COMP_CWORD == 1 )); then
    words="${names(commands)} help --help --version"
  else
    case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    help) words="${names(commands)}" ;;
    esac
  fi
  COMPREPLY=()
  [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _sconce sconce
`;
}

function zshScript(commands: readonly Completed[]): string {
  const described = commands.map(({ name, summary }) => `    '${name}:${quoted(firstSentence(summary))}'`);
  const cases = commands.map(({ name, flags, words: own }) => {
    const rest = own.length === 0 ? "'*:file:_files'" : `'1:word:(${own.join(" ")})'`;
    const specs = flags.map(({ name: flag, doc, choices, takesValue }) => {
      const words = choices.length === 0 ? "_files" : `(${choices.join(" ")})`;
      return `        '${flag}[${quoted(doc).replace(/[[\]]/g, "\\$&")}]${takesValue ? `:value:${words}` : ""}'`;
    });
    return `    ${name})\n      _arguments \\\n${[...specs, `        ${rest}`].join(" \\\n")}\n      ;;`;
  });
  return `#compdef sconce
_sconce() {
  local -a commands
  commands=(
${described.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
    help) _describe command commands ;;
  esac
}
compdef _sconce sconce
`;
}

/** Inside single quotes of a shell; a colon ends a word of zsh's. */
function quoted(text: string): string {
  return text.replaceAll("'", "’").replaceAll(":", "\\:");
}

function fishScript(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, summary, flags, words }) => [
    `complete -c sconce -n __sconce_begins -f -a ${name} -d '${fishText(summary)}'`,
    ...words.map((word) => `complete -c sconce -n "__sconce_runs ${name}" -f -a ${word}`),
    ...flags.map(({ name: flag, doc, choices, takesValue }) => {
      const words = choices.length === 0 ? "" : ` -x -a '${choices.join(" ")}'`;
      const value = takesValue && choices.length === 0 ? " -r" : "";
      return `complete -c sconce -n "__sconce_runs ${name}" -l ${flag.slice(2)}${value}${words} -d '${fishText(doc)}'`;
    }),
  ]);
  return `# sconce: completion for fish
function __sconce_begins
  set -l words (commandline -opc)
  test (count $words) = 1; or test "$words[2..-1]" = help
end
function __sconce_runs
  set -l words (commandline -opc)
  test (count $words) -gt 1; and test $words[2] = $argv[1]
end
${lines.join("\n")}
`;
}

function fishText(text: string): string {
  return firstSentence(text).replace(/[\\']/g, "\\$&");
}
