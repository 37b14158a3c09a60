import { hostModel } from "../model-host.ts";
import { loadModel } from "./load-model.ts";

hostModel(loadModel);
