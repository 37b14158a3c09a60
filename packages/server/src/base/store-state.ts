/** What there is of a store's models here. `kept`: a copy, of which `remark` says how old it is and why. `absent`: nothing, for the `reason`. */
export type StoreState =
  | { readonly kind: "pending"; readonly reason: string }
  | { readonly kind: "current" }
  | { readonly kind: "kept"; readonly remark: string }
  | { readonly kind: "absent"; readonly reason: string };
