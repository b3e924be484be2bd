/** What ends a call of Proxmox VE with a text of its own. */
export class Refusal extends Error {
  constructor(
    text: string,
    /** Of the tool's process. */
    readonly exitCode = 255,
    /** Of the REST API. */
    readonly status = 500,
  ) {
    super(text);
  }
}

/** "Parameter verification failed.": a text for each parameter. */
export class ParameterErrors extends Refusal {
  constructor(readonly errors: Readonly<Record<string, string>>) {
    const lines = Object.entries(errors).map(([key, text]) => `${key}: ${text}`);
    super(['400 Parameter verification failed.', ...lines].join('\n'), 255, 400);
  }
}
