/** The insides of a worker process, apart from the server's: a worker starts faster without them. */
export type { Signature } from "../../../packages/server/dist/base/signature.js";
export type { Tensor } from "../../../packages/server/dist/base/tensor.js";
export {
  type HostedModel,
  type HostedResult,
  hostModel,
} from "../../../packages/server/dist/runtime/model-host.js";
