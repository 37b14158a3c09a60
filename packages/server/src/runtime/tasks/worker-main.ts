import { hostModel } from "../model-host.ts";
import { hostTask } from "./host-task.ts";

hostModel(hostTask);
