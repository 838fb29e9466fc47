"""Runs Jupyter's own kernel test suite (jupyter_kernel_test) on one kernel and prints {test: "passed" | reason} as JSON.

Usage: conformance.py tunebook | tslab | deno. The kernels run the same cells, except where the protocol leaves the way to a feature to
the kernel: each then uses what it offers, and an empty sample means that it offers nothing ("skipped: …").
"""

import json
import signal
import sys
import unittest

import jupyter_kernel_test as jkt

# Seconds for a test, and for each message in it: the suite waits for some without a limit, for others fifteen seconds, for outputs a
# tenth of one.
PATIENCE = 180
# What a peer leaves behind may spoil a test that it passes. Ours has to pass at once.
PEER_ATTEMPTS = 3

HOST = "globalThis[Symbol.for('tunebook.host')]"
KERNELS = {
    "tunebook": {
        "code_display_data": [
            {"code": f"{HOST}.display({{ 'text/html': '<b>x</b>', 'text/plain': 'x' }})", "mime": "text/html"},
            {"code": "import * as tslab from 'tslab';\ntslab.display.png(new Uint8Array([137, 80]))", "mime": "image/png"},
        ],
        "code_clear_output": f"{HOST}.clear()",
        "code_page_something": f"{HOST}.page({{ 'text/plain': 'a long text' }})",
        "welcome": True,
    },
    "tslab": {
        "code_display_data": [{"code": "import * as tslab from 'tslab';\ntslab.display.html('<b>x</b>')", "mime": "text/html"}],
        "code_clear_output": "",
        "code_page_something": "",
        "welcome": False,
    },
    "deno": {
        "code_display_data": [{"code": "await Deno.jupyter.display(Deno.jupyter.html`<b>x</b>`)", "mime": "text/html"}],
        "code_clear_output": "await Deno.jupyter.broadcast('clear_output', { wait: false })",
        "code_page_something": "",
        "welcome": False,
    },
}

jkt.TIMEOUT = PATIENCE
kernel = sys.argv[1]
own = KERNELS[kernel]


class Kernel(jkt.KernelTests):
    kernel_name = kernel
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('oops')"
    completion_samples = [
        {"text": "consol", "matches": ["console"]},
        {"text": "Number.isInt", "matches": ["isInteger"]},
        {"text": "'😀'; Number.isInt", "matches": ["isInteger"]},
    ]
    complete_code_samples = [
        "1",
        "console.log('a')",
        "function f(x: number) {\n  return x * 2;\n}",
        "const s = `a\nb`",
        "const t = `a ${`b ${1}`}`",
        "for await (const x of []) {}",
    ]
    incomplete_code_samples = [
        "function f(x: number) {",
        "const s = `a",
        "const s = `a ${1 + ",
        "const o = {\n  a: 1,",
        "/* a",
        "f(1,",
        "if (true)",
    ]
    invalid_code_samples = ["const 1 = 2", "f(]", "let x = ;\nlet y", "const s = 'a"]
    code_generate_error = "throw new Error('boom')"
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "[1, 2]", "result": "[ 1, 2 ]"},
        {"code": "({ a: [1, 2] })", "result": "{ a: [ 1, 2 ] }"},
        {"code": "const q: number = 2;\nq", "result": "2"},
        {"code": "await Promise.resolve(null)", "result": "null"},
    ]
    code_history_pattern = "6 ? 7*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "parseInt"
    code_display_data = own["code_display_data"]
    code_clear_output = own["code_clear_output"]
    code_page_something = own["code_page_something"]

    def execute_helper(self, code, **options):
        """The suite's, on a machine that may be busy: outputs have time, and the end of an earlier request may still be on its way."""
        channel = self.kc.iopub_channel
        get_msg = channel.get_msg

        def patient(timeout=None):
            while True:
                message = get_msg(timeout=PATIENCE)
                if message["parent_header"].get("msg_type") == "execute_request":
                    return message

        channel.get_msg = patient
        try:
            return super().execute_helper(code, **{"timeout": PATIENCE, **options})
        finally:
            channel.get_msg = get_msg


class Welcome(jkt.IopubWelcomeTests):
    kernel_name = kernel
    support_iopub_welcome = own["welcome"]


class Report(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.found = {}

    def startTest(self, test):
        super().startTest(test)
        self.found[test._testMethodName] = "passed"
        signal.alarm(PATIENCE)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    def note(self, test, outcome):
        """The first thing that went wrong in a test or one of its subtests is its outcome."""
        name = getattr(test, "test_case", test)._testMethodName
        if self.found.get(name) == "passed":
            self.found[name] = outcome

    def addError(self, test, err):
        self.note(test, f"{err[0].__name__}: {err[1]}")

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.addError(test, err)

    def addSkip(self, test, reason):
        self.note(test, f"skipped: {reason}")


def give_up(*_):
    raise TimeoutError(f"no answer in {PATIENCE} s")


signal.signal(signal.SIGALRM, give_up)
found = {}
for _ in range(1 if kernel == "tunebook" else PEER_ATTEMPTS):
    suite = unittest.TestSuite()
    for case in (Kernel, Welcome):
        names = unittest.defaultTestLoader.getTestCaseNames(case)
        suite.addTests(case(name) for name in names if found.get(name) != "passed")
    report = Report()
    suite.run(report)
    # The reason of a failure is the first one: what a kernel leaves behind spoils later attempts.
    found.update({name: outcome for name, outcome in report.found.items() if name not in found or outcome == "passed"})
json.dump(found, sys.stdout)
