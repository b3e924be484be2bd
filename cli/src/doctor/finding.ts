/** One thing that was looked at. */
export interface Finding {
  readonly check: string;
  /** `note`: nothing is wrong, and somebody may want to know. */
  readonly state: 'ok' | 'note' | 'fault';
  readonly detail: string;
  /** What to do; null where nothing needs doing. */
  readonly todo: string | null;
}

export const ok = (check: string, detail: string): Finding => ({ check, state: 'ok', detail, todo: null });
export const note = (check: string, detail: string, todo: string | null = null): Finding => ({ check, state: 'note', detail, todo });
export const fault = (check: string, detail: string, todo: string): Finding => ({ check, state: 'fault', detail, todo });
