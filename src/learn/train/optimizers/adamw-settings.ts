import type { Treatments } from './groups.js';

/** The settings of AdamW with nothing left open. */
export interface AdamWSettings {
  beta1: number;
  beta2: number;
  eps: number;
  treatments: Treatments;
}
