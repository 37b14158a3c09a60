/** Where in the original model an operation comes from. */
export interface CodePlace {
  /** The attribute path of the module that it runs in, such as `encoder.layer.0.attention`; "": the model itself. */
  readonly module: string;
  /** The class of that module, such as `torch.nn.modules.linear.Linear`; undefined: the file does not say. */
  readonly type?: string;
  /** The line of Python that asked for it, such as `model.py:26`; undefined: the file does not say. */
  readonly line?: string;
}

/** The place of an operation, and what PyTorch calls it. */
export interface NodePlace extends CodePlace {
  /** As the program has it, such as `aten.linear.default`; "": nothing of the program, but what leads in and out. */
  readonly op: string;
}
