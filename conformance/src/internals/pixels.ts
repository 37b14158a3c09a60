/** How a task's worker makes tensors of images, for a test that compares it with transformers. */
export { decodeImage } from "../../../packages/server/dist/runtime/tasks/image/decode-image.js";
export { readImageProcessor } from "../../../packages/server/dist/runtime/tasks/image/image-processor.js";
