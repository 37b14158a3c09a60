import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { matches, runExample } from "../page-examples.kit.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { checkBlock } from "./check-block.ts";
import { commandsOf, type PageBlock, type PageParts, type ShownCommand } from "./page-blocks.ts";

export const ROOT: string = fileURLToPath(new URL("../../..", import.meta.url));
const BIN = join(ROOT, "packages/server/bin/sconce.js");
/** Where pages say that a server is. */
const SHOWN_AUTHORITY = /(?:127\.0\.0\.1|localhost):8080/g;
/** What a page may take from the folder of the project. */
const LINKED = ["examples", "node_modules", "packages"];

/** What pages are walked with. */
export interface Walker {
  /** Runs a Python script, with the packages that it imports; rejects with what it printed when it fails. */
  python(file: string, cwd: string): Promise<string>;
  /** Starts what `npx sconce serve …` starts; the arguments are those behind `serve`. */
  serve(args: readonly string[], cwd: string, env: Environment): Promise<ServerProcess>;
}

type Environment = Readonly<Record<string, string>>;

/** Starts a server of its own for each `serve`. */
export const ownServer: Walker["serve"] = (args, cwd, env) =>
  startServerProcess(
    args.map((arg) => (!arg.startsWith("-") && existsSync(join(cwd, arg)) ? join(cwd, arg) : arg)),
    { env },
  );

/**
 * Does what a page says, in order, in an empty folder: saves its files, runs its commands, and compares what they print. Servers are ended when it
 * is done. Rejects with the first thing that is not as the page shows it.
 */
export async function walkPage(page: PageParts, folder: string, walker: Walker): Promise<void> {
  const walk = new Walk(folder, walker);
  try {
    if (page.serves !== undefined) await walk.serve(page.serves);
    for (const block of page.blocks) await walk.block(block);
  } finally {
    await walk.end();
  }
}

class Walk {
  readonly #folder: string;
  readonly #walker: Walker;
  readonly #files = new Map<string, string>();
  readonly #exported: Record<string, string> = {};
  #server: ServerProcess | undefined;

  constructor(folder: string, walker: Walker) {
    this.#folder = folder;
    this.#walker = walker;
    for (const name of LINKED) {
      if (!existsSync(join(folder, name))) symlinkSync(join(ROOT, name), join(folder, name));
    }
  }

  async block({ use, text, line }: PageBlock): Promise<void> {
    try {
      if (use.kind === "file") this.#save(use.name, text);
      else if (use.kind === "checked") await this.#check(use.as, text);
      else if (use.kind === "commands") {
        for (const command of commandsOf(text)) await this.#run(command);
      }
    } catch (error) {
      throw new Error(`the block in line ${line}: ${(error as Error).message}`, { cause: error });
    }
  }

  async serve(line: string): Promise<string> {
    await this.end();
    this.#server = await this.#walker.serve(line.split(/\s+/), this.#folder, this.#exported);
    for (const [name, text] of this.#files) this.#write(name, text);
    return this.#server.output();
  }

  async end(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }

  #save(name: string, text: string): void {
    this.#files.set(name, text);
    this.#write(name, text);
    if (!name.endsWith(".ts") || name.endsWith(".d.ts")) return;
    // Node 20 runs no TypeScript.
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    this.#save(name.replace(/\.ts$/, ".mjs"), outputText);
  }

  #write(name: string, text: string): void {
    const path = join(this.#folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, this.#here(text));
  }

  /** As it is on the page, but for where the server is. */
  #here(text: string): string {
    return text.replace(SHOWN_AUTHORITY, (shown) => this.#server?.authority ?? shown);
  }

  /** What asks the server at its usual place, asks it where it is. */
  #asked(command: string): string {
    const isAsking = /^npx sconce (?:predict|list) /.test(command) && !command.includes("--url");
    return isAsking && this.#server !== undefined ? `${command} --url ${this.#server.url}` : command;
  }

  async #check(as: string, text: string): Promise<void> {
    if (as === "python") {
      this.#write("checked.py", text);
      this.#write("check.py", 'import ast\nast.parse(open("checked.py").read())\n');
      await this.#walker.python("check.py", this.#folder);
    } else await checkBlock(as, text, { folder: this.#folder, root: ROOT });
  }

  async #run({ command, shown }: ShownCommand): Promise<void> {
    const output = await this.#outputOf(command);
    if (shown.trim() !== "") {
      assert.ok(matches(output, shown), `${command}\nprinted\n${output}\nand the page shows\n${shown}`);
    }
  }

  async #outputOf(command: string): Promise<string> {
    const serve = /^npx sconce serve (.+?)(?: +#.*)?$/.exec(command)?.[1];
    if (serve !== undefined) return this.serve(serve);
    const script = /^python (\S+\.py)$/.exec(command)?.[1];
    if (script !== undefined) return this.#walker.python(script, this.#folder);
    const [, exported, value] = /^export (\w+)=(.+)$/.exec(command) ?? [];
    if (exported !== undefined) {
      this.#exported[exported] = (await this.#shell(`echo ${value}`)).trim();
      return "";
    }
    return this.#shell(
      this.#asked(this.#here(command))
        .replace(/\bnpx sconce\b/, `${process.execPath} ${BIN}`)
        .replace(/^node (\S+)\.ts\b/, `${process.execPath} $1.mjs`)
        .replace(/^node /, `${process.execPath} `),
    );
  }

  #shell(command: string): Promise<string> {
    const env = { ...this.#exported, SCONCE_URL: this.#server?.url ?? "" };
    return runExample(command, { cwd: this.#folder, env });
  }
}

/** Text of a file of the project. */
export function projectFile(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
