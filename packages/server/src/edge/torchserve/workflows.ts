import { ServeError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Workflow, WorkflowNode } from "../../base/workflow.ts";
import type { Administration } from "../../infer/administration.ts";
import type { Inference } from "../../infer/inference.ts";
import { type ManagementResult, said } from "./management.ts";
import { pageOf } from "./page.ts";
import type { Wishes } from "./registration-settings.ts";
import { failing } from "./torchserve-failure.ts";

/** Where workflows come from, and where their handlers are put so that the server finds them. */
export interface WorkflowStore {
  /** Reads an archive. `name`: in place of its own. Rejects in TorchServe's words. */
  open(url: string, name: string | undefined): Promise<OpenedWorkflow>;
  /** What a handler of a workflow was is there no more. */
  remove(model: string): Promise<void>;
}

export interface OpenedWorkflow {
  readonly workflow: Workflow;
  /** Makes a model of the node's handler, to be loaded. Rejects in TorchServe's words. */
  place(node: WorkflowNode): Promise<void>;
}

/** What the caller may see and do of the server. */
export interface WorkflowCaller {
  readonly inference: Inference;
  readonly administration: Administration;
}

/** TorchServe's workflows: those that are registered. */
export interface Workflows {
  register(wishes: Wishes, caller: WorkflowCaller, signal: AbortSignal): Promise<ManagementResult>;
  describe(name: string, caller: WorkflowCaller): ManagementResult;
  list(wishes: Wishes, caller: WorkflowCaller): ManagementResult;
  unregister(name: string, caller: WorkflowCaller, signal: AbortSignal): Promise<ManagementResult>;
  /** Throws in TorchServe's words, also for one that the caller may not see all of. */
  find(name: string, caller: WorkflowCaller): Workflow;
  /** The node that a model is; undefined: it is none of a workflow. */
  nodeOf(model: string): WorkflowNode | undefined;
}

export function createWorkflows(store: WorkflowStore, logger: Logger): Workflows {
  return new RegisteredWorkflows(store, logger);
}

class RegisteredWorkflows implements Workflows {
  readonly #store: WorkflowStore;
  readonly #logger: Logger;
  readonly #workflows = new Map<string, Workflow>();
  readonly #nodes = new Map<string, WorkflowNode>();
  /** Those on their way. */
  readonly #busy = new Set<string>();

  constructor(store: WorkflowStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  async register(
    wishes: Wishes,
    { administration }: WorkflowCaller,
    signal: AbortSignal,
  ): Promise<ManagementResult> {
    const url = wishes.get("url");
    if (url === undefined)
      throw failing({ code: 400, type: "BadRequestException", message: "Parameter url is required." });
    const opened = await this.#store.open(url, wishes.get("workflow_name") || undefined);
    const { name, nodes } = opened.workflow;
    if (this.#workflows.has(name) || this.#busy.has(name)) throw registeredAlready(name);
    this.#busy.add(name);
    try {
      for (const node of nodes) this.#nodes.set(node.model, node);
      const failures = await this.#load(opened, administration, signal);
      if (failures.length > 0) {
        await this.#remove(nodes, administration, signal);
        const message = `Workflow ${name} has failed to register. Failures: [${failures.join(", ")}]`;
        throw failing({ code: 500, type: "WorkflowException", message });
      }
      this.#workflows.set(name, opened.workflow);
    } finally {
      this.#busy.delete(name);
    }
    return said(200, `Workflow ${name} has been registered and scaled successfully.`);
  }

  /** What went wrong, node by node. */
  async #load(
    { workflow, place }: OpenedWorkflow,
    administration: Administration,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const failures: string[] = [];
    for (const node of workflow.nodes) {
      const { model } = node;
      try {
        await place(node);
      } catch (error) {
        const { message } = ServeError.from(error);
        failures.push(`Workflow Node ${model} failed to register. Details: ${message}`);
        continue;
      }
      try {
        await administration.loadModel(model, signal);
      } catch (error) {
        this.#logger.warn({ model, err: error }, "a step of a workflow did not load");
        failures.push(`Failed to start workers for model ${model} version: 1.0`);
      }
    }
    return failures;
  }

  async #remove(
    nodes: readonly WorkflowNode[],
    administration: Administration,
    signal: AbortSignal,
  ): Promise<void> {
    for (const { model } of nodes) {
      this.#nodes.delete(model);
      try {
        await administration.unloadModel(model, signal);
      } catch (error) {
        // One that was never there is gone as well.
        if (ServeError.from(error).code !== "not_found")
          this.#logger.warn({ model, err: error }, "a step of a workflow was not unloaded");
      }
      await this.#store.remove(model);
    }
  }

  describe(name: string, caller: WorkflowCaller): ManagementResult {
    const { url, defaults, dag } = this.find(name, caller);
    const described = {
      workflowName: name,
      workflowUrl: url,
      minWorkers: defaults.minWorkers,
      maxWorkers: defaults.maxWorkers,
      batchSize: defaults.batchSize,
      maxBatchDelay: defaults.maxBatchDelayMs,
      workflowDag: dag,
    };
    return { code: 200, document: [described] };
  }

  list(wishes: Wishes, caller: WorkflowCaller): ManagementResult {
    const visible = [...this.#workflows.values()].filter((workflow) => isVisible(workflow, caller));
    const { names, next } = pageOf(wishes, visible.map(({ name }) => name).sort());
    const workflows = names.map((workflowName) => ({
      workflowName,
      workflowUrl: this.#workflows.get(workflowName)!.url,
    }));
    return { code: 200, document: { ...next, workflows } };
  }

  async unregister(name: string, caller: WorkflowCaller, signal: AbortSignal): Promise<ManagementResult> {
    const { nodes } = this.find(name, caller);
    if (this.#busy.has(name)) throw workflowNotFound(`Workflow not found: ${name}`);
    this.#busy.add(name);
    try {
      this.#workflows.delete(name);
      await this.#remove(nodes, caller.administration, signal);
    } finally {
      this.#busy.delete(name);
    }
    return said(200, `Workflow "${name}" unregistered`);
  }

  find(name: string, caller: WorkflowCaller): Workflow {
    const workflow = this.#workflows.get(name);
    if (workflow === undefined || !isVisible(workflow, caller))
      throw workflowNotFound(`Workflow not found: ${name.slice(0, 200)}`);
    return workflow;
  }

  nodeOf(model: string): WorkflowNode | undefined {
    return this.#nodes.get(model);
  }
}

/** Who may not ask all of its models does not learn that there is one. */
function isVisible({ nodes }: Workflow, { inference }: WorkflowCaller): boolean {
  return nodes.every(({ model }) => inference.presence(model) !== "absent");
}

export function workflowNotFound(message: string): ServeError {
  return failing({ code: 404, type: "WorkflowNotFoundException", message });
}

function registeredAlready(name: string): ServeError {
  const message = `Workflow ${name} is already registered.`;
  return failing({ code: 409, type: "ConflictStatusException", message });
}
