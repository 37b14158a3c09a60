import { sleep } from "./monotonic.ts";
import type { Random } from "./random.ts";
import { makeRow } from "./row.ts";
import { NOT_READY, REPORTS, type Report, type StormAnswer, type StormClient } from "./storm-client.ts";
import type { ChangeKind, Look, ModelHistory } from "./storm-history.ts";

/** A model in a storm, and what is known of it. */
export interface StormModel {
  readonly name: string;
  /** `broken` never loads; `absent` is not on disk. */
  readonly kind: "sound" | "broken" | "absent";
  /** False: it is only ever loaded again, and must answer all the time. */
  readonly canUnload: boolean;
  /** What is published are versions, which stand beside each other for a while. */
  readonly isVersioned: boolean;
  readonly history: ModelHistory;
  /** Puts the files of this content in place. */
  publish(content: number): void;
  /** What a largest batch says about the content; undefined: nothing. */
  contentOf(maxBatchSize: number): number | undefined;
}

const OVERTAKEN = "aborted load_overtaken";
const LOAD_FAILED = "failed_precondition load_failed";
const NOT_FOUND = "not_found model_not_found";
const MOST_PROBLEMS = 5;
/** The file system's clock is not finer; two files in one tick may look alike to a server. */
const PUBLISH_GAP_MS = 5;
/** Reloads of one model at a time: a load may be overtaken by newer files, but not for ever. */
const MOST_RELOADS = 2;
/** Few, so that models with a cache find some answers there. */
const ROWS = 16;

/** Weights of what clients do. Loads take long: with more unloads, hardly any would come to its end. */
const MIX: readonly (readonly [Operation, number])[] = [
  ["infer", 650],
  ["inferNamed", 50],
  ["report", 200],
  ["index", 30],
  ["live", 10],
  ["load", 30],
  ["unload", 20],
  ["reload", 18],
];

type Operation = "infer" | "inferNamed" | "report" | "index" | "live" | "load" | "unload" | "reload";

/** Random operations on a few models at once; every answer is compared with what it may be. */
export class Storm {
  readonly counts: Map<string, number> = new Map();
  /** The first few, in words. */
  readonly problems: string[] = [];
  problemCount = 0;
  operations = 0;
  readonly models: readonly StormModel[];
  readonly #reloads = new Map<StormModel, number>();
  readonly #rows: readonly Uint8Array[];

  constructor(models: readonly StormModel[], random: Random) {
    this.models = models;
    this.#rows = Array.from({ length: ROWS }, (_, sequence) => makeRow({ stream: 0, sequence }, random));
  }

  /** One operation. Never rejects: what went wrong is a problem. */
  async step(client: StormClient, random: Random): Promise<void> {
    const operation = pickOperation(random);
    const model = random.pick(this.models);
    try {
      await this.#perform(operation, { client, model, random });
    } catch (error) {
      this.#complain(`${operation} ${model.name}: ${error}`);
    }
    this.operations += 1;
  }

  async infer(client: StormClient, model: StormModel, random: Random): Promise<void> {
    const look = model.history.beginLook();
    this.#judge({ what: "infer", model, look }, await client.infer(model.name, random.pick(this.#rows)));
  }

  /** A version by name answers as itself, or not at all. */
  async #inferNamed(client: StormClient, { name, history }: StormModel, random: Random): Promise<void> {
    const version = Math.max(1, history.published - random.integer(0, 2));
    const answer = await client.infer(name, random.pick(this.#rows), version);
    const { outcome, detail, isRight } = answer;
    this.#count("infer by version", outcome);
    const isItself = answer.version === version && answer.content === version && isRight === true;
    if (outcome === "ok" ? isItself : outcome === NOT_FOUND || outcome === NOT_READY) return;
    this.#complain(`infer ${name}/${version}: ${outcome} of ${answer.version} ${detail}`);
  }

  async report(client: StormClient, model: StormModel, what: Report): Promise<void> {
    const look = model.history.beginLook();
    const answer = await client.report(what, model.name);
    const content = answer.content === undefined ? undefined : model.contentOf(answer.content);
    this.#judge({ what, model, look }, { ...answer, content });
  }

  async change(client: StormClient, model: StormModel, kind: ChangeKind): Promise<void> {
    const change = model.history.begin(kind);
    const { outcome, detail } = await client.change(kind, model.name);
    model.history.end(change, outcome === "ok");
    this.#count(kind, outcome);
    if (outcome === expectedChange(model, kind)) return;
    if (kind === "load" && outcome === OVERTAKEN && !change.isAlone) return;
    this.#complain(`${kind} ${model.name}: ${outcome} ${detail}`);
  }

  /** New weights and options, then a load. */
  async #reload(client: StormClient, model: StormModel): Promise<void> {
    const others = this.#reloads.get(model) ?? 0;
    if (model.kind !== "sound" || others >= MOST_RELOADS) return this.change(client, model, "load");
    this.#reloads.set(model, others + 1);
    try {
      const inPlace = model.history.publish();
      model.publish(model.history.published);
      inPlace();
      this.#count("publish", "ok");
      await sleep(PUBLISH_GAP_MS);
      await this.change(client, model, "load");
    } finally {
      this.#reloads.set(model, this.#reloads.get(model)! - 1);
    }
  }

  async index(client: StormClient): Promise<void> {
    const looks = this.models.map((model) => ({ what: "index", model, look: model.history.beginLook() }));
    const states = await client.index();
    for (const [key, state] of states) if (state === "listed twice") this.#complain(`index: ${key} ${state}`);
    for (const seen of looks) {
      const lines = [...states].filter(([key]) => key.startsWith(`${seen.model.name}/`));
      if (lines.length === 0) this.#judge(seen, { outcome: NOT_FOUND, detail: "no line" });
      else {
        const isReady = lines.some(([, state]) => state === "READY");
        this.#judge(seen, { outcome: isReady ? "ok" : NOT_READY, detail: lines.join(" ") });
      }
    }
  }

  async #perform(
    operation: Operation,
    { client, model, random }: { client: StormClient; model: StormModel; random: Random },
  ): Promise<void> {
    switch (operation) {
      case "infer":
        return this.infer(client, model, random);
      case "inferNamed":
        return model.isVersioned
          ? this.#inferNamed(client, model, random)
          : this.infer(client, model, random);
      case "report":
        return this.report(client, model, random.pick(REPORTS));
      case "index":
        return this.index(client);
      case "live":
        if (!(await client.isServerLive())) this.#complain("the server is not live");
        return;
      case "load":
        return this.change(client, model, "load");
      case "unload":
        return this.change(client, model, model.canUnload ? "unload" : "load");
      case "reload":
        return this.#reload(client, model);
    }
  }

  #judge(
    { what, model, look }: { readonly what: string; readonly model: StormModel; readonly look: Look },
    answer: StormAnswer,
  ): void {
    const { outcome, detail, content, version, isRight } = answer;
    this.#count(what, outcome);
    const serves = outcome === "ok";
    const problem = model.history.endLook(look, serves ? { serves, content } : { serves });
    // gRPC's ModelReady answers no for any name; everything else says that there is no such model.
    if (model.kind === "absent" && (outcome === NOT_FOUND || (what === "ready" && outcome === NOT_READY)))
      return;
    if (model.kind === "broken" && outcome === NOT_READY) return;
    const isExpected = model.kind === "sound" && (serves || outcome === NOT_READY);
    if (!isExpected) this.#complain(`${what} ${model.name}: ${outcome} ${detail}`);
    else if (isRight === false) this.#complain(`${what} ${model.name}: another request's answer`);
    else if (problem !== undefined) this.#complain(`${what} ${model.name} (${version ?? ""}): ${problem}`);
  }

  #count(what: string, outcome: string): void {
    const key = `${what} ${outcome}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  #complain(problem: string): void {
    this.problemCount += 1;
    if (this.problems.length < MOST_PROBLEMS) this.problems.push(problem);
  }
}

function expectedChange({ kind }: StormModel, change: ChangeKind): string {
  if (kind === "absent") return NOT_FOUND;
  return kind === "broken" && change === "load" ? LOAD_FAILED : "ok";
}

function pickOperation(random: Random): Operation {
  let left = random.next() * MIX.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [operation, weight] of MIX) {
    left -= weight;
    if (left < 0) return operation;
  }
  return "infer";
}
