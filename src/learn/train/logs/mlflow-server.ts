import { setTimeout as sleep } from 'node:timers/promises';
import { Complaint } from './logger.js';

/** Milliseconds before a request is tried again; none after the last. */
const TRIES = [250, 1000, 4000];
/** Milliseconds until a request without an answer is given up. */
const TIMEOUT = 10_000;

/** An answer that will not become better by asking again. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The REST API of an MLflow tracking server (mlflow.org/docs/latest/rest-api.html). */
export class MlflowServer {
  readonly complaint: Complaint;
  readonly #base: string;
  readonly #headers: Record<string, string>;

  constructor(url: string, headers: Record<string, string>) {
    const { origin, pathname, username, password } = new URL(url);
    this.#base = `${origin}${pathname.replace(/\/$/, '')}/api/2.0/mlflow/`;
    // fetch takes no user and password in an address.
    const basic = `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
    this.#headers = { ...(username && { authorization: basic }), ...headers };
    this.complaint = new Complaint(`The MLflow log at ${origin}`);
  }

  /** The id of an experiment, which is made if it is not there. */
  async experiment(name: string): Promise<string> {
    try {
      const found = await this.#ask('GET', `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`);
      return (found as { experiment: { experiment_id: string } }).experiment.experiment_id;
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404) throw error;
      const made = await this.post('experiments/create', { name });
      return (made as { experiment_id: string }).experiment_id;
    }
  }

  post(path: string, body: object): Promise<unknown> {
    return this.#ask('POST', path, body);
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(method, path, body);
      } catch (error) {
        if (error instanceof Refused || attempt >= TRIES.length) throw error;
        await sleep(TRIES[attempt], undefined, { ref: false });
      }
    }
  }

  async #once(method: string, path: string, body: object | undefined): Promise<unknown> {
    const answer = await fetch(this.#base + path, {
      method,
      headers: { 'content-type': 'application/json', ...this.#headers },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT),
    });
    const text = await answer.text();
    if (answer.ok) return text ? JSON.parse(text) : {};
    const said = `${method} ${path.split('?')[0]} answered ${answer.status}: ${text.slice(0, 200)}`;
    const passing = answer.status >= 500 || answer.status === 429 || answer.status === 408;
    throw passing ? new Error(said) : new Refused(answer.status, said);
  }
}
