"""Make expected.json: what transformers renders for the templates in cases.json.

    python make-fixtures.py        (needs transformers and jinja2; the figures here are from transformers 5.23, jinja2 3.1.6)

cases.json: {"context": variables, "expressions": [source, …], "templates": {name: source}, "conversations": {name: {messages, …}}}.
expected.json: {"expressions": [text or null where Python raises, …], "chats": {template: {conversation: {text, generations} or null}}}.
"""

import datetime
import json
import pathlib

import transformers.utils.chat_template_utils as chat

HERE = pathlib.Path(__file__).parent
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2025, 3, 7, 9, 5, 2)


chat.datetime = Clock


def expression(source, context):
    try:
        return chat._compile_jinja_template(source).render(**context)
    except Exception:
        return None


def conversation(source, given):
    messages = [{k: v for k, v in m.items() if v is not None} for m in given["messages"]]
    options = {"tools": given.get("tools"), "documents": given.get("documents"), "chat_template": source}
    variables = {**TOKENS, **given.get("variables", {})}
    try:
        if given.get("continue"):
            texts, _ = chat.render_jinja_template([messages], continue_final_message=True, **options, **variables)
            return {"text": texts[0]}
        texts, generations = chat.render_jinja_template(
            [messages],
            return_assistant_tokens_mask=True,
            add_generation_prompt=given.get("prompt", False),
            **options,
            **variables,
        )
        return {"text": texts[0], "generations": generations[0]}
    except Exception:
        return None


cases = json.loads((HERE / "cases.json").read_text())
expected = {
    "expressions": [expression(source, cases["context"]) for source in cases["expressions"]],
    "chats": {
        name: {key: conversation(source, given) for key, given in cases["conversations"].items()}
        for name, source in cases["templates"].items()
    },
}
(HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")
