"""Runs Jupyter's own kernel test suite (jupyter_kernel_test) on the kernel `tunebook` and prints {test: "passed" | reason} as JSON."""

import json
import sys
import unittest

import jupyter_kernel_test as jkt


class Tunebook(jkt.KernelTests):
    kernel_name = "tunebook"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('oops')"
    completion_samples = [
        {"text": "consol", "matches": ["console"]},
        {"text": "Number.isInt", "matches": ["isInteger"]},
        {"text": "'😀'; Number.isInt", "matches": ["isInteger"]},
    ]
    complete_code_samples = ["1", "console.log('a')", "function f(x: number) {\n  return x * 2;\n}", "const s = `a\nb`", "for await (const x of []) {}"]
    incomplete_code_samples = ["function f(x: number) {", "const s = `a", "const o = {\n  a: 1,", "/* a", "f(1,", "if (true)"]
    invalid_code_samples = ["const 1 = 2", "f(]", "let x = ;\nlet y"]
    code_page_something = ""
    code_generate_error = "throw new Error('boom')"
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "'a' + 'b'", "result": "'ab'"},
        {"code": "({ a: [1, 2] })", "result": "{ a: [ 1, 2 ] }"},
        {"code": "const q: number = 2;\nq", "result": "2"},
        {"code": "await Promise.resolve(null)", "result": "null"},
    ]
    code_display_data = [
        {"code": "globalThis[Symbol.for('tunebook.host')].display({ 'text/html': '<b>x</b>', 'text/plain': 'x' })", "mime": "text/html"},
        {"code": "import * as tslab from 'tslab';\ntslab.display.png(new Uint8Array([137, 80]))", "mime": "image/png"},
    ]
    code_history_pattern = "6 ? 7*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "parseInt"
    code_clear_output = "globalThis[Symbol.for('tunebook.host')].clear()"


class Welcome(jkt.IopubWelcomeTests):
    kernel_name = "tunebook"
    support_iopub_welcome = True


class Report(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.found = {}

    def startTest(self, test):
        super().startTest(test)
        self.found[test._testMethodName] = "passed"

    def addError(self, test, err):
        self.found[getattr(test, "_testMethodName", str(test))] = f"{err[0].__name__}: {err[1]}"

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.addError(test, err)

    def addSkip(self, test, reason):
        self.found[getattr(test, "_testMethodName", str(test))] = f"skipped: {reason}"


suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in (Tunebook, Welcome))
report = Report()
suite.run(report)
json.dump(report.found, sys.stdout)
