import { abortSignalOf, type CancelSignal } from "../../base/call-signal.ts";
import { ServeError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { WorkflowNode } from "../../base/workflow.ts";
import { checkModelName } from "../../gate/model-name.ts";
import type { Administration, RequestedSettings } from "../../infer/administration.ts";
import type { Inference } from "../../infer/inference.ts";
import { archiveName } from "./archive-name.ts";
import { describeVersion, type ModelFacts } from "./describe-version.ts";
import { pageOf } from "./page.ts";
import { registeredSettings, type Wishes, workersOf } from "./registration-settings.ts";
import { failing, modelNotFound, versionNotFound } from "./torchserve-failure.ts";

/** What a management call is answered with. */
export interface ManagementResult {
  readonly code: number;
  readonly document: unknown;
}

export interface ManagementParts {
  readonly inference: Inference;
  readonly administration: Administration;
  readonly logger: Logger;
  /** What a handler says of itself, for `customized=true`; undefined: it says nothing. */
  describeItself(model: string, version: string, signal: CancelSignal): Promise<unknown>;
}

/** TorchServe's management API, whatever it is called over. */
export interface TorchserveManagement {
  /** `wishes`: as in the query of `POST /models`. */
  register(wishes: Wishes, signal: CancelSignal): Promise<ManagementResult>;
  scale(
    model: string,
    version: string | undefined,
    wishes: Wishes,
    signal: CancelSignal,
  ): Promise<ManagementResult>;
  /** `version`: undefined for the default one, `all` for all. */
  describe(
    model: string,
    version: string | undefined,
    options: { readonly isCustomized: boolean; readonly signal: CancelSignal },
  ): Promise<ManagementResult>;
  list(wishes: Wishes): ManagementResult;
  setDefault(model: string, version: string): ManagementResult;
  unregister(model: string, version: string | undefined, signal: CancelSignal): Promise<ManagementResult>;
  /** Whether the model is registered and was scaled to no workers. */
  hasNoWorkers(model: string): boolean;
  /** The same models as somebody else may see and manage them. */
  as(parts: ManagementParts): TorchserveManagement;
}

const PROCESSING: ManagementResult = { code: 202, document: { status: "Processing worker updates..." } };

/** TorchServe counts 1.0, and this server 1. */
export function plainVersion(version: string | undefined): string | undefined {
  return version?.replace(/^([1-9][0-9]*)\.0$/, "$1");
}

/** The node of a workflow that a model is; undefined: it is none. */
type NodeOf = (model: string) => WorkflowNode | undefined;

export function createTorchserveManagement(parts: ManagementParts, nodeOf?: NodeOf): TorchserveManagement {
  return new Management(parts, { requested: new Set(), idle: new Map(), nodeOf });
}

interface Registered {
  /** Registered by request. */
  readonly requested: Set<string>;
  /** Registered, and scaled to no workers; with what was known of them. */
  readonly idle: Map<string, ModelFacts>;
  readonly nodeOf: NodeOf | undefined;
}

class Management implements TorchserveManagement {
  readonly #parts: ManagementParts;
  readonly #registered: Registered;
  readonly #requested: Set<string>;
  readonly #idle: Map<string, ModelFacts>;

  constructor(parts: ManagementParts, registered: Registered) {
    this.#parts = parts;
    this.#registered = registered;
    this.#requested = registered.requested;
    this.#idle = registered.idle;
  }

  as(parts: ManagementParts): TorchserveManagement {
    return new Management(parts, this.#registered);
  }

  async register(wishes: Wishes, signal: CancelSignal): Promise<ManagementResult> {
    const { inference } = this.#parts;
    const name = archiveName(wishes.get("url"));
    const wanted = wishes.get("model_name");
    if (wanted !== undefined && wanted !== name)
      throw badRequest(`model_name: a model has the name of its file, which is ${name}; rename the file`);
    if (this.#isRegistered(name)) throw registeredAlready(name, this.#versionOf(name));
    const settings = registeredSettings(wishes);
    const isKnown = inference.presence(name) !== "absent";
    if (isKnown && wishes.get("initial_workers") !== undefined && !isTrue(wishes.get("synchronous"))) {
      this.#loadLater(name, settings);
      return PROCESSING;
    }
    await this.#load(name, signal, settings);
    this.#requested.add(name);
    const { instances } = inference.modelConfiguration(name, undefined).settings;
    return said(
      200,
      `Model "${name}" Version: ${this.#versionOf(name)} registered with ${instances} initial workers`,
    );
  }

  async scale(
    model: string,
    version: string | undefined,
    wishes: Wishes,
    signal: CancelSignal,
  ): Promise<ManagementResult> {
    const { administration, inference } = this.#parts;
    this.#require(model, version);
    const workers = workersOf(wishes);
    if (workers === 0) {
      await this.#rest(model, signal);
    } else {
      const settings = { instances: workers };
      if (!isTrue(wishes.get("synchronous"))) {
        this.#loadLater(model, settings);
        return PROCESSING;
      }
      const isAlready =
        !this.#idle.has(model) &&
        inference.modelConfiguration(model, undefined).settings.instances === workers;
      if (!isAlready) await administration.loadModel(model, abortSignalOf(signal), settings);
      this.#idle.delete(model);
    }
    const suffix = version === undefined ? "" : `, version: ${shown(version)}`;
    return said(200, `Workers scaled to ${workers} for model: ${model}${suffix}`);
  }

  async describe(
    model: string,
    version: string | undefined,
    { isCustomized, signal }: { readonly isCustomized: boolean; readonly signal: CancelSignal },
  ): Promise<ManagementResult> {
    const { describeItself } = this.#parts;
    this.#require(model, version === "all" ? undefined : version);
    const described: object[] = [];
    for (const one of this.#versions(model, version)) {
      const facts = this.#idle.get(model) ?? (await this.#factsOf(model, one));
      const own =
        isCustomized && facts.workers.length > 0 ? await describeItself(model, one, signal) : undefined;
      described.push({
        ...describeVersion(facts, this.#urlOf(model) ?? ""),
        ...(own !== undefined && { customizedMetadata: own }),
      });
    }
    return { code: 200, document: described };
  }

  list(wishes: Wishes): ManagementResult {
    const all = [...this.#parts.inference.modelNames()].filter(
      (name) => this.#isRegistered(name) && this.#urlOf(name) !== undefined,
    );
    const { names, next } = pageOf(wishes, all.sort());
    const models = names.map((modelName) => ({ modelName, modelUrl: this.#urlOf(modelName)! }));
    return { code: 200, document: { ...next, models } };
  }

  setDefault(model: string, version: string): ManagementResult {
    this.#require(model, undefined);
    const plain = plainVersion(version) ?? "";
    if (!this.#versions(model, "all").includes(plain))
      throw versionNotFound(`Model version ${version} does not exist for model ${model}`);
    this.#parts.administration.setDefaultVersion(model, plain);
    return said(200, `Default version successfully updated for model "${model}" to "${version}"`);
  }

  async unregister(
    model: string,
    version: string | undefined,
    signal: CancelSignal,
  ): Promise<ManagementResult> {
    const { administration, inference } = this.#parts;
    this.#require(model, version);
    const plain = plainVersion(version);
    const versions = this.#versions(model, "all");
    const isOneOfSeveral = plain !== undefined && versions.length > 1;
    if (isOneOfSeveral && this.#defaultOf(model) === plain) {
      const message = `Cannot remove default version for model ${model}`;
      throw failing({ code: 403, type: "InvalidModelVersionException", message });
    }
    if (!this.#idle.delete(model) || inference.presence(model) === "live")
      await administration.unloadModel(model, abortSignalOf(signal), isOneOfSeveral ? plain : undefined);
    if (!isOneOfSeveral) this.#requested.delete(model);
    return said(200, `Model "${model}" unregistered`);
  }

  hasNoWorkers(model: string): boolean {
    return this.#idle.has(model);
  }

  async #load(name: string, signal: CancelSignal, settings: RequestedSettings): Promise<void> {
    try {
      await this.#parts.administration.loadModel(name, abortSignalOf(signal), settings);
    } catch (error) {
      if (ServeError.from(error).code === "not_found") throw modelNotFound(`Model not found at: ${name}.mar`);
      throw error;
    }
  }

  #loadLater(name: string, settings: RequestedSettings): void {
    const { administration, logger } = this.#parts;
    administration.loadModel(name, new AbortController().signal, settings).then(
      () => {
        this.#idle.delete(name);
        this.#requested.add(name);
      },
      (error: unknown) =>
        logger.warn({ model: name, err: error }, "the workers that were asked for did not start"),
    );
  }

  /** Ends a model's workers; it stays registered. */
  async #rest(model: string, signal: CancelSignal): Promise<void> {
    if (this.#idle.has(model)) return;
    const facts = await this.#factsOf(model, this.#defaultOf(model));
    await this.#parts.administration.unloadModel(model, abortSignalOf(signal));
    const { settings } = facts;
    this.#idle.set(model, { ...facts, workers: [], settings: { ...settings, instances: 0 } });
  }

  /** The archive that a model came from; undefined: a function of a workflow, which has none. */
  #urlOf(name: string): string | undefined {
    const node = this.#registered.nodeOf?.(name);
    return node === undefined ? `${name}.mar` : node.url;
  }

  #isRegistered(name: string): boolean {
    return this.#idle.has(name) || this.#parts.inference.presence(name) === "live";
  }

  /** Throws unless the model, or its version, is registered. */
  #require(model: string, version: string | undefined): void {
    checkModelName(model);
    if (!this.#isRegistered(model)) throw modelNotFound(`Model not found: ${model}`);
    if (version === undefined || this.#versions(model, "all").includes(plainVersion(version)!)) return;
    throw versionNotFound(`Model version: ${version} does not exist for model: ${model}`);
  }

  #versions(model: string, version: string | undefined): readonly string[] {
    const idle = this.#idle.get(model);
    if (version === undefined) return [idle?.version ?? this.#defaultOf(model)];
    if (version !== "all") return [plainVersion(version)!];
    return idle === undefined
      ? this.#parts.inference.modelMetadata(model, undefined).versions
      : [idle.version];
  }

  #defaultOf(model: string): string {
    return this.#parts.inference.modelConfiguration(model, undefined).version;
  }

  #versionOf(name: string): string {
    return shown(this.#idle.get(name)?.version ?? this.#defaultOf(name));
  }

  async #factsOf(model: string, version: string): Promise<ModelFacts> {
    const { inference } = this.#parts;
    const { settings, runtime } = inference.modelConfiguration(model, version);
    const workers = await inference.modelWorkers(model, version);
    return { model, version, runtime, settings, ...workers, isRequested: this.#requested.has(model) };
  }
}

export function said(code: number, status: string): ManagementResult {
  return { code, document: { status } };
}

/** `1` as TorchServe writes it: 1.0. */
export function shown(version: string): string {
  return /^[1-9][0-9]*$/.test(version) ? `${version}.0` : version;
}

function isTrue(text: string | undefined): boolean {
  return text?.toLowerCase() === "true";
}

function registeredAlready(name: string, version: string): ServeError {
  const message = `Model version ${version} is already registered for model ${name}`;
  return failing({ code: 409, type: "ConflictStatusException", message });
}

function badRequest(message: string): ServeError {
  return failing({ code: 400, type: "BadRequestException", message });
}
