import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { until } from './lab.js';

const PATHS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];

function programPath(name: string): string | undefined {
  return PATHS.map(folder => join(folder, name)).find(path => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const missing = ['munged', 'slurmctld', 'slurmd', 'sbatch', 'squeue'].filter(name => !programPath(name));

/** Why no cluster can be started here; undefined where one can. In CI, which installs Slurm, a missing one is a failure. */
export function whyNoCluster(): string | undefined {
  if (missing.length === 0) return undefined;
  const why = `${missing.join(', ')} not found: "sudo apt-get install slurm-wlm munge" (Debian)`;
  if (process.env.CI) throw new Error(`Slurm must be tested in CI, and ${why}`);
  console.log(`skipped, because there is no Slurm: ${why}`);
  return why;
}

/** A real cluster of one machine: munged, slurmctld and slurmd with folders, ports and keys of their own, as whoever runs the tests. */
export class Cluster {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'tb-slurm-'));
  readonly #daemons = new Map<string, ChildProcess>();

  /** @param settings lines for slurm.conf, in place of or beside ours */
  static async start(settings: readonly string[] = []): Promise<Cluster> {
    const cluster = new Cluster();
    try {
      await cluster.#start(settings);
      return cluster;
    } catch (error) {
      const logs = ['munged', 'slurmctld', 'slurmd'].map(name => cluster.log(name)).join('\n');
      await cluster.stop();
      throw new Error(`${(error as Error).message}\n${logs}`);
    }
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  async #start(settings: readonly string[]): Promise<void> {
    for (const name of ['state', 'spool']) mkdirSync(this.path(name));
    writeFileSync(this.path('munge.key'), randomBytes(1024), { mode: 0o400 });
    const [controller, node] = await freePorts(2);
    const user = userInfo().username;
    const conf = [
      'ClusterName=tunebook',
      'SlurmctldHost=localhost(127.0.0.1)',
      `SlurmctldPort=${controller}`,
      'AuthType=auth/munge',
      `AuthInfo=socket=${this.path('munge.sock')}`,
      `SlurmUser=${user}`,
      `SlurmdUser=${user}`,
      `StateSaveLocation=${this.path('state')}`,
      `SlurmdSpoolDir=${this.path('spool')}`,
      `SlurmctldPidFile=${this.path('slurmctld.pid')}`,
      `SlurmdPidFile=${this.path('slurmd.pid')}`,
      'ProctrackType=proctrack/linuxproc',
      'TaskPlugin=task/none',
      'SelectType=select/cons_tres',
      'SelectTypeParameters=CR_CPU',
      // Ready at once, however slow the machine is.
      'SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0',
      'MpiDefault=none',
      'MailProg=/bin/true',
      'ReturnToService=2',
      'SlurmdTimeout=0',
      // Against hanging only; ten seconds of their own.
      'MessageTimeout=60',
      'KillWait=2',
      'SlurmdParameters=config_overrides',
      `NodeName=localhost NodeAddr=127.0.0.1 NodeHostname=localhost Port=${node} CPUs=4 RealMemory=8000 Gres=gpu:2 State=UNKNOWN`,
      'GresTypes=gpu',
      'PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP',
    ];
    const keys = settings.map(line => line.split('=')[0]!);
    const all = [...conf.filter(line => !keys.includes(line.split('=')[0]!)), ...settings, ''];
    writeFileSync(this.path('slurm.conf'), all.join('\n'));
    // Devices that are everywhere stand for GPUs: Slurm only counts them, and tells a job which are its own.
    writeFileSync(this.path('gres.conf'), 'AutoDetect=off\nName=gpu File=/dev/null\nName=gpu File=/dev/zero\n');
    const at = (name: string) => this.path(name);
    const files = [`--socket=${at('munge.sock')}`, `--key-file=${at('munge.key')}`, `--pid-file=${at('munged.pid')}`];
    this.#spawn('munged', [
      '--foreground',
      '--force',
      ...files,
      `--log-file=${at('munged.txt')}`,
      `--seed-file=${at('munged.seed')}`,
    ]);
    await this.#ready('munged', () => readFileSync(this.path('munged.pid')).length > 0);
    this.#spawn('slurmctld', ['-D', '-c']);
    // A node that finds no controller tries again half a minute later.
    await this.#ready('slurmctld', () => /\bUP\b/.test(this.run('scontrol', 'ping')));
    this.startNode();
    await this.#ready('slurmd', () => /\bidle\b/.test(this.run('sinfo', '--noheader')));
  }

  /** Start slurmd (again). */
  startNode(): void {
    this.#spawn('slurmd', ['-D', '-N', 'localhost']);
  }

  /** Kill slurmd, at once and without a word. */
  async killNode(): Promise<void> {
    const daemon = this.#daemons.get('slurmd')!;
    const gone = new Promise(done => daemon.once('close', done));
    daemon.kill('SIGKILL');
    await gone;
  }

  #spawn(name: string, args: string[]): void {
    // The daemons end with the tests, also with tests that are killed.
    const guard = programPath('setpriv');
    const command = [...(guard ? [guard, '--pdeathsig', 'TERM'] : []), programPath(name)!, ...args];
    const log = `exec >> ${JSON.stringify(this.path(`${name}.log`))} 2>&1; exec "$@"`;
    const child = spawn('sh', ['-c', log, 'sh', ...command], { stdio: 'ignore', env: { ...process.env, SLURM_CONF: this.conf } });
    this.#daemons.set(name, child);
  }

  async #ready(name: string, look: () => boolean): Promise<void> {
    await until(() => {
      const { exitCode, signalCode } = this.#daemons.get(name)!;
      if (exitCode !== null || signalCode !== null) throw new Error(`${name} ended with ${exitCode ?? signalCode}`);
      try {
        return look();
      } catch {
        return false;
      }
    });
  }

  /** What SLURM_CONF must name. */
  get conf(): string {
    return this.path('slurm.conf');
  }

  /** Run one of Slurm's programs. */
  run(program: string, ...args: string[]): string {
    const env = { ...process.env, SLURM_CONF: this.conf };
    return execFileSync(program, args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
  }

  /** The end of a daemon's log. */
  log(name: string): string {
    try {
      return `${name}:\n${readFileSync(this.path(`${name}.log`), 'utf8')
        .split('\n')
        .slice(-30)
        .join('\n')}`;
    } catch {
      return `${name}: no log`;
    }
  }

  /** End all jobs and daemons, and remove everything. */
  async stop(): Promise<void> {
    try {
      this.run('scancel', `--user=${userInfo().username}`);
      await until(() => this.run('squeue', '--noheader').trim() === '');
    } catch {
      // The controller is gone: its jobs' processes end with their folders.
    }
    for (const daemon of [...this.#daemons.values()].reverse()) {
      if (daemon.exitCode !== null || daemon.signalCode !== null) continue;
      const gone = new Promise(done => daemon.once('close', done));
      daemon.kill('SIGTERM');
      const late = setTimeout(() => daemon.kill('SIGKILL'), 10_000);
      await gone;
      clearTimeout(late);
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

/** Ports that this system gives to nobody who does not ask for them: nobody gets one between this choice and a daemon's binding. */
async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let port = 20_000 + ((process.pid * 8) % 12_000); found.length < count; port++) {
    const server = createServer();
    const free = await new Promise<boolean>(done => {
      server.once('error', () => done(false)).listen(port, '127.0.0.1', () => done(true));
    });
    if (!free) continue;
    await new Promise(done => server.close(done));
    found.push(port);
  }
  return found;
}
