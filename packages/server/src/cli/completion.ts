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

function completed({ name, summary, tables }: Command): Completed {
  const rows = Object.entries(Object.assign({}, ...tables) as OptionTable);
  return {
    name,
    summary,
    flags: rows.map(([key, row]) => ({
      name: flagName(key),
      doc: firstSentence(row.doc),
      choices: row.kind === "choice" ? row.choices : [],
      takesValue: row.kind !== "flag",
    })),
  };
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
  const cases = commands.map(({ name, flags }) => {
    const choices = flags
      .filter(({ choices }) => choices.length > 0)
      .map((flag) => `        ${flag.name}) words="${flag.choices.join(" ")}" ;;`);
    const own = flags.map((flag) => flag.name).join(" ");
    const byFlag = choices.length === 0 ? [] : ['      case "$before" in', ...choices, "      esac"];
    return [`    ${name})`, `      [[ $word == -* ]] && words="${own} --help"`, ...byFlag, "      ;;"].join(
      "\n",
    );
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
  const cases = commands.map(({ name, flags }) => {
    const specs = flags.map(({ name: flag, doc, choices, takesValue }) => {
      const words = choices.length === 0 ? "_files" : `(${choices.join(" ")})`;
      return `        '${flag}[${quoted(doc).replace(/[[\]]/g, "\\$&")}]${takesValue ? `:value:${words}` : ""}'`;
    });
    return `    ${name})\n      _arguments \\\n${[...specs, "        '*:file:_files'"].join(" \\\n")}\n      ;;`;
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
  const all = names(commands);
  const lines = commands.flatMap(({ name, summary, flags }) => [
    `complete -c sconce -n "not __fish_seen_subcommand_from ${all}" -f -a ${name} -d '${fishText(summary)}'`,
    ...flags.map(({ name: flag, doc, choices, takesValue }) => {
      const words = choices.length === 0 ? "" : ` -x -a '${choices.join(" ")}'`;
      const value = takesValue && choices.length === 0 ? " -r" : "";
      return `complete -c sconce -n "__fish_seen_subcommand_from ${name}" -l ${flag.slice(2)}${value}${words} -d '${fishText(doc)}'`;
    }),
  ]);
  return `# sconce: completion for fish\n${lines.join("\n")}\n`;
}

function fishText(text: string): string {
  return firstSentence(text).replace(/[\\']/g, "\\$&");
}
