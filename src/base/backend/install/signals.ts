import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { cacheRoot } from './cache.js';
import { compile, findCompiler } from './compile.js';

const require = createRequire(import.meta.url);
const FLAGS = ['-std=c++17', '-O2', '-fPIC', '-shared', '-pthread', '-w', '-DNAPI_VERSION=8', '-Wl,-z,nodelete'];

/**
 * oneDNN's compiled matrix products (jit_avx512_common_gemm_f32) point the stack pointer at a workspace on the heap. A signal that
 * reaches the thread meanwhile has its frame, some three kilobytes, written below that workspace: over whatever lies there. In Node
 * every end of a child process (SIGCHLD), Ctrl-C and change of a window's size is such a signal. So the threads that compute take none:
 * `hold` blocks them in the calling thread, whose later threads inherit that, and a thread that only sleeps takes them instead (Node's
 * handlers write to a pipe, from any thread). Signals of faults stay, and SIGPROF, whose handler in V8 runs on a stack of its own where
 * there is one. Child processes are not concerned: libuv empties their mask.
 */
const SOURCE = `#include <node_api.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include <cstdlib>
#include <mutex>

static void* Sleep(void*) {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  for (;;) pause();
}

static bool StartSleeper() {
  pthread_attr_t attributes;
  pthread_t thread;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 1 << 18);
  const bool started = pthread_create(&thread, &attributes, Sleep, nullptr) == 0;
  pthread_attr_destroy(&attributes);
  return started;
}

static void GiveStack() {
  stack_t now;
  if (sigaltstack(nullptr, &now) != 0 || !(now.ss_flags & SS_DISABLE)) return;
  constexpr size_t kBytes = 1 << 17;
  stack_t own = {};
  // Never freed: the thread may take a signal until its very end.
  if (!(own.ss_sp = std::malloc(kBytes))) return;
  own.ss_size = kBytes;
  sigaltstack(&own, nullptr);
}

static napi_value Hold(napi_env env, napi_callback_info) {
  static std::once_flag once;
  static bool sleeping = false;
  std::call_once(once, [] { sleeping = StartSleeper(); });
  if (sleeping) {
    GiveStack();
    sigset_t held;
    sigfillset(&held);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) sigdelset(&held, fault);
    pthread_sigmask(SIG_BLOCK, &held, nullptr);
  }
  napi_value result;
  napi_get_boolean(env, sleeping, &result);
  return result;
}

static napi_value Init(napi_env env, napi_value exports) {
  napi_value hold;
  napi_create_function(env, "hold", NAPI_AUTO_LENGTH, Hold, nullptr, &hold);
  napi_set_named_property(env, exports, "hold", hold);
  return exports;
}
NAPI_MODULE(tunebook_signals, Init)
`;

/** Where the compiled addon of this version lies, in the user's cache. */
function addonPath(): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([FLAGS, SOURCE]))
    .digest('hex')
    .slice(0, 12);
  return join(cacheRoot(), `signals-${process.platform}-${process.arch}-${hash}`, 'signals.node');
}

/** Compile the addon unless it is there (a second). Returns whether it did. Throws `Unavailable` where it cannot be compiled. */
export async function installSignals(env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const path = addonPath();
  if (existsSync(path)) return false;
  const compiler = await findCompiler(env);
  const headers = dirname(require.resolve('node-api-headers/include/node_api.h'));
  await mkdir(dirname(path), { recursive: true });
  const work = await mkdtemp(join(dirname(path), 'build-'));
  try {
    const [source, made] = [join(work, 'signals.cc'), join(work, 'signals.node')];
    await writeFile(source, SOURCE);
    await compile(compiler, [...FLAGS, '-I', headers, source, '-o', made], env);
    await rename(made, path);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return true;
}

/**
 * Keep signals from this thread and from those it will start, see above; call it before TensorFlow is loaded. Returns why that could not
 * be done, if so.
 */
export function holdSignals(): string | undefined {
  const path = addonPath();
  if (!existsSync(path)) return 'not compiled (tunebook backend install native compiles what is missing)';
  try {
    return (require(path) as { hold(): boolean }).hold() ? undefined : 'the system grants no thread for them';
  } catch (error) {
    return (error as Error).message.split('\n')[0];
  }
}
