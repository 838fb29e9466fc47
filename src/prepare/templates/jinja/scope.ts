import { noSuch, type Value } from './values.js';

/** Names in sight: those set here, then those of the scopes around. */
export class Scope {
  private readonly names = new Map<string, Value>();
  private readonly outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.outer = outer;
  }

  get(name: string): Value {
    let scope: Scope | undefined = this;
    while (scope) {
      const value = scope.names.get(name);
      if (value !== undefined) return value;
      scope = scope.outer;
    }
    return noSuch(name);
  }

  set(name: string, value: Value): void {
    this.names.set(name, value);
  }
}
