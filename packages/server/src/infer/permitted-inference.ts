import type { ServeError } from "../base/errors.ts";
import type { Administration } from "./administration.ts";
import type { Inference } from "./inference.ts";

/**
 * The server as somebody sees it who may use some of its models only: of the others, nothing tells whether there are any. `notPermitted` makes what is
 * thrown for them.
 */
export function permittedInference(
  inference: Inference,
  includes: (model: string) => boolean,
  notPermitted: () => ServeError,
): Inference {
  const check = (model: string): void => {
    if (!includes(model)) throw notPermitted();
  };
  const of =
    <A extends readonly unknown[], R>(ask: (model: string, ...others: A) => R) =>
    (model: string, ...others: A): R => {
      check(model);
      return ask(model, ...others);
    };
  return {
    serverMetadata: () => inference.serverMetadata(),
    isLive: () => inference.isLive(),
    isReady: () => inference.isReady(),
    isModelReady: of((model, version) => inference.isModelReady(model, version)),
    door: of((model, version) => inference.door(model, version)),
    modelMetadata: of((model, version) => inference.modelMetadata(model, version)),
    async acquireInputs(model, version, signal) {
      check(model);
      return await inference.acquireInputs(model, version, signal);
    },
    loadedInputs: of((model, version) => inference.loadedInputs(model, version)),
    modelConfiguration: of((model, version) => inference.modelConfiguration(model, version)),
    presence: (model) => (includes(model) ? inference.presence(model) : "absent"),
    async modelWorkers(model, version) {
      check(model);
      return await inference.modelWorkers(model, version);
    },
    rolloutStatus: of((model) => inference.rolloutStatus(model)),
    index: () => inference.index().filter(({ name }) => includes(name)),
    modelNames: () => Array.from(inference.modelNames()).filter(includes),
    async infer(request) {
      check(request.model);
      return await inference.infer(request);
    },
    submit(request, receiver) {
      if (includes(request.model)) inference.submit(request, receiver);
      else receiver.reject(notPermitted());
    },
    modelStatistics(name, version) {
      if (name !== undefined) check(name);
      return inference.modelStatistics(name, version).filter((statistics) => includes(statistics.name));
    },
  };
}

/** The control plane as somebody sees it who may load and unload some models only. */
export function permittedAdministration(
  administration: Administration,
  includes: (model: string) => boolean,
  notPermitted: () => ServeError,
): Administration {
  const check = (model: string): void => {
    if (!includes(model)) throw notPermitted();
  };
  const { uploadModel } = administration;
  return {
    uploadModel:
      uploadModel &&
      (async (model, uploaded, signal) => {
        check(model);
        await uploadModel(model, uploaded, signal);
      }),
    async loadModel(model, signal, settings) {
      check(model);
      await administration.loadModel(model, signal, settings);
    },
    async unloadModel(model, signal, version) {
      check(model);
      await administration.unloadModel(model, signal, version);
    },
    async steerRollout(model, signal, command) {
      check(model);
      await administration.steerRollout(model, signal, command);
    },
    setDefaultVersion(model, version) {
      check(model);
      administration.setDefaultVersion(model, version);
    },
  };
}
