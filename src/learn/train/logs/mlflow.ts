import { BadInput, quote, refuseUnknown } from '../../../base/core/index.js';
import { checkNumber } from '../check.js';
import { flat } from './flat.js';
import { type RunAbout, type RunEnd, type RunLogger, scalars } from './logger.js';
import { MlflowServer, Refused } from './mlflow-server.js';

/** What {@link mlflow} takes. */
export interface MlflowOptions {
  /** Of the tracking server, e.g. 'http://localhost:5000'. */
  url: string;
  /** Name of the experiment; made if it is not there. Default 'tunebook'. */
  experiment?: string;
  /** Sent with every request, e.g. { authorization: 'Bearer …' }; never kept in a record. */
  headers?: Record<string, string>;
  /** Seconds that the end of a run waits for what has not been sent yet. Default 10. */
  patience?: number;
}

interface Metric {
  key: string;
  value: number;
  timestamp: number;
  step: number;
}

/** Of the REST API: metrics and parameters of one request. */
const [METRICS, PARAMS] = [1000, 100];
/** Metrics kept while the server does not answer. */
const HELD = 200_000;
/** Milliseconds between two sendings. */
const EVERY = 1000;

/**
 * A log on an MLflow tracking server, by its REST API (`/api/2.0/mlflow`): a run with the settings as parameters and a metric for
 * every number. Numbers are sent in batches beside the training; a server that is slow, away or unwilling never holds the run up nor
 * ends it: what fails is tried again, and said once on stderr. Numbers that are not finite are left out.
 */
export function mlflow(options: MlflowOptions): RunLogger {
  refuseUnknown('train.mlflow', options, ['url', 'experiment', 'headers', 'patience']);
  const { experiment = 'tunebook', headers = {} } = options;
  const patience = checkNumber('patience', options.patience ?? 10, { from: 0 });
  if (!URL.canParse(options.url) || !/^https?:/.test(options.url))
    throw new BadInput({
      problem: 'This is no address of an MLflow server',
      where: { key: 'url' },
      expected: 'an address that begins with http:// or https://',
      found: quote(options.url),
      fix: "write url: 'http://localhost:5000'",
    });
  const log = new MlflowLog(new MlflowServer(options.url, headers), experiment, patience * 1000);
  const { origin, pathname } = new URL(options.url);
  return {
    name: 'mlflow',
    // Without user and password.
    settings: { url: origin + pathname, experiment },
    onStart: about => log.start(about),
    onStep: report => log.metrics(report.step, scalars(report)),
    onEval: ({ step, ...found }) => log.metrics(step, found, 'eval/'),
    onStop: end => log.stop(end),
  };
}

/** What is to be sent, and the one who sends it. */
class MlflowLog {
  readonly #server: MlflowServer;
  readonly #experiment: string;
  readonly #patience: number;
  #about: RunAbout | undefined;
  #id: string | undefined;
  #metrics: Metric[] = [];
  #params: { key: string; value: string }[] = [];
  /** The state the server is to be told. */
  #status: { status: string; end_time?: number } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | undefined;

  constructor(server: MlflowServer, experiment: string, patience: number) {
    this.#server = server;
    this.#experiment = experiment;
    this.#patience = patience;
  }

  start(about: RunAbout): void {
    if (this.#about) this.#status = { status: 'RUNNING' };
    else this.#params = paramsOf(about.config);
    this.#about ??= about;
    this.#soon(0);
  }

  metrics(step: number, found: Record<string, number>, prefix = ''): void {
    const timestamp = Date.now();
    for (const [name, value] of Object.entries(found))
      if (Number.isFinite(value)) this.#metrics.push({ key: keyOf(prefix + name), value, timestamp, step });
    if (this.#metrics.length > HELD) this.#metrics.splice(0, this.#metrics.length - HELD);
    this.#soon(EVERY);
  }

  /** Send what is left; gives up waiting when its patience is over. */
  async stop({ state }: RunEnd): Promise<void> {
    const status = { finished: 'FINISHED', failed: 'FAILED', stopped: 'KILLED', interrupted: 'KILLED' }[state];
    this.#status = { status, end_time: Date.now() };
    const gaveUp = new AbortController();
    const late = setTimeout(() => gaveUp.abort(), this.#patience);
    const overdue = new Promise<void>(resolve => gaveUp.signal.addEventListener('abort', () => resolve()));
    await Promise.race([overdue, this.#sending?.then(() => this.#send()) ?? this.#send()]);
    clearTimeout(late);
    if (gaveUp.signal.aborted) this.#server.complaint.say(new Error(`no answer in time; ${this.#metrics.length} numbers unsent`));
  }

  #soon(ms: number): void {
    if (this.#sending || this.#timer) return;
    this.#timer = setTimeout(() => void this.#send(), ms);
    this.#timer.unref();
  }

  /** One sender at a time. Never rejects. */
  #send(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll()
      .catch(error => this.#server.complaint.say(error))
      .finally(() => {
        this.#sending = undefined;
      });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    this.#id ??= await this.#create();
    const run_id = this.#id;
    while (this.#metrics.length > 0 || this.#params.length > 0) {
      const metrics = this.#metrics.slice(0, METRICS - PARAMS);
      const params = this.#params.slice(0, PARAMS);
      try {
        await this.#server.post('runs/log-batch', { run_id, metrics, params });
      } catch (error) {
        // What the server will never take must not hold up what follows; all else stays, and is sent again.
        if (!(error instanceof Refused)) throw error;
        this.#server.complaint.say(error);
      }
      const sent = new Set<object>([...metrics, ...params]);
      this.#metrics = this.#metrics.filter(metric => !sent.has(metric));
      this.#params = this.#params.filter(param => !sent.has(param));
    }
    const status = this.#status;
    if (!status) return;
    await this.#server.post('runs/update', { run_id, ...status });
    if (this.#status === status) this.#status = undefined;
  }

  async #create(): Promise<string> {
    const experiment_id = await this.#server.experiment(this.#experiment);
    const answer = await this.#server.post('runs/create', {
      experiment_id,
      run_name: this.#about!.name,
      start_time: Date.now(),
      tags: [
        { key: 'mlflow.runName', value: this.#about!.name },
        { key: 'mlflow.source.name', value: 'tunebook' },
      ],
    });
    return (answer as { run: { info: { run_id: string } } }).run.info.run_id;
  }
}

/** Settings as parameters: paths for names, and text that every version of the server takes. */
function paramsOf(config: Record<string, unknown>): { key: string; value: string }[] {
  return Object.entries(flat(config)).map(([path, value]) => ({
    key: keyOf(path),
    value: (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 500),
  }));
}

/** What MLflow lets stand in a name. */
function keyOf(name: string): string {
  return name.replace(/[^\w\-. /]/g, '_').slice(0, 250);
}
