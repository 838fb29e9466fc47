// C++ that is compiled beside tfjs-node's own. Kept as text because `tsc` copies no other files.

/**
 * TensorFlow 2.21 logs through Abseil, whose threshold only TensorFlow's Python side sets from TF_CPP_MIN_LOG_LEVEL.
 * This does it before the binding makes a TensorFlow context.
 */
export const LOG_LEVEL_SOURCE = `#include <cstdlib>
#include "absl/log/globals.h"

namespace {
const bool level_set = [] {
  if (const char* level = std::getenv("TF_CPP_MIN_LOG_LEVEL"))
    absl::SetMinLogLevel(static_cast<absl::LogSeverityAtLeast>(std::atoi(level)));
  return true;
}();
}
`;

/**
 * While TensorFlow's library is being loaded it greets on stderr before anyone can set a level. This addon, which does not link
 * TensorFlow, catches stderr for that moment and hands back what was said.
 */
export const QUIET_SOURCE = `#include <node_api.h>
#include <stdio.h>
#include <unistd.h>
#include <string>

static FILE* caught = nullptr;
static int saved = -1;

static napi_value Catch(napi_env env, napi_callback_info) {
  if (!caught && (caught = tmpfile())) {
    fflush(stderr);
    saved = dup(2);
    dup2(fileno(caught), 2);
  }
  return nullptr;
}

static napi_value Release(napi_env env, napi_callback_info) {
  std::string said;
  if (caught) {
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    rewind(caught);
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, caught)) > 0;) said.append(part, n);
    fclose(caught);
    caught = nullptr;
  }
  napi_value text;
  napi_create_string_utf8(env, said.data(), said.size(), &text);
  return text;
}

static napi_value Init(napi_env env, napi_value exports) {
  napi_value fn;
  napi_create_function(env, "catchStderr", NAPI_AUTO_LENGTH, Catch, nullptr, &fn);
  napi_set_named_property(env, exports, "catchStderr", fn);
  napi_create_function(env, "release", NAPI_AUTO_LENGTH, Release, nullptr, &fn);
  napi_set_named_property(env, exports, "release", fn);
  return exports;
}
NAPI_MODULE(tunebook_quiet, Init)
`;
