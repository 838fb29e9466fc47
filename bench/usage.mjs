import { parseArgs } from 'node:util';

export const usage = `npm run bench -- setup                 install the Python peers (about 1 GB) into .venv-bench
npm run bench -- sft [options]         supervised fine-tuning beside TRL's SFTTrainer

  --data FILE        Alpaca-format JSON or JSONL; default: generated rows of the same kind
  --steps N          optimizer steps timed per round (default 20)
  --warm N           steps before them that are not timed (default 3)
  --rounds N         alternations of ours and the peer (default 3)
  --batch N          rows of a batch (default 8)
  --shape NAME       small (default: 6.8 M weights) or smollm2 (SmolLM2-135M's shape)
  --length N         rows of this many tokens, put together from the data's; default: the rows as they are
  --lora RANK        LoRA on every linear module in place of all weights; the peer is TRL with PEFT
  --loop             a hand-tuned PyTorch loop too
  --backend NAME     ours on native (default), wasm or cpu
  --python PATH      Python with the peers (default: $TUNEBOOK_PEER_PYTHON, else .venv-bench)
  --no-peer          ours alone
  --dist DIR         another build of tunebook, to compare two (default: dist, built when stale)
  --json FILE        write everything measured there as well

npm run bench -- encode [options]      render + tokenise + mask + verify beside TRL's data set preparation

  --data FILE        Alpaca-format JSON or JSONL, multiplied to --rows; default: generated rows of the same kind
  --rows N           rows (default 50000)
  --rounds N         alternations (default 3)
  --workers N        worker threads of the parallel run (default 2)
  --tokenizer DIR    a tokenizer.json with its tokenizer_config.json; default: one trained on the rows
  --python, --no-peer, --dist, --json as above

npm run bench -- packing [options]     plain, bucketed and packed batches of the same rows, ours alone

  --length N         tokens of a pack (default 512)
  --data, --steps, --rounds, --batch, --backend, --dist as above

npm run bench -- profile [options]     time of a training step by TensorFlow op, and the share of the machine's matmul speed

  --shape, --batch, --length, --labels, --steps, --lora, --backend, --dist

npm run bench -- load [options]        models.load beside reading the file and transformers' from_pretrained: time and peak memory

  --model DIR        a model directory with model.safetensors; default: random weights of the SmolLM2-135M shape (538 MB)
  --dtype TYPE       of that random model's file: float32 (default), float16 or bfloat16
  --rounds N         alternations (default 5)
  --backend, --python, --no-peer, --dist, --json as above

npm run bench -- lora [options]        memory and time of a LoRA step beside full fine-tuning, SmolLM2-135M shape

  --length N         tokens of a row (default 128)
  --rank N           rank of the update on all linear modules (default 8)
  --steps, --rounds, --batch, --backend, --dist, --json as above

npm run bench -- generate [options]    prefill and decode beside transformers' generate, SmolLM2-135M shape

  --tokens N         new tokens a row (default 64)
  --repeats N        times a process measures (default 3)
  --rounds, --backend, --python, --no-peer, --dist, --json as above

npm run bench -- cost [options]        time and memory of a step against length, batch, layers and vocabulary: table and figure

  --peers LIST       trl,torch (default), or one of them
  --steps N          timed steps a point (default 5; 2 more before them)
  --rounds N         times every point is measured (default 1)
  --out DIR          gets cost.json, cost.png and cost.vl.json (default runs/bench)
  --missing          go on with the cost.json there: measure the points that it lacks, or lacks the range of
  --minutes N        begin no more points after so many minutes; --missing goes on another time
  --draw FILE        measure nothing: draw the figure of this cost.json
  --backend, --python, --no-peer, --dist as above

npm run bench -- trial [options]       a training run of an experiment's size (string rewriting, 0.23 M weights) beside PyTorch

  --steps N          timed steps (default 400; --warm 5 before them)
  --batch N          rows of 24 tokens (default 128)
  --rounds, --backend, --python, --no-peer, --dist, --json as above

npm run bench -- evaluate [options]    evaluate.score on many short prompts beside transformers' generate

  --prompts N        prompts (default 400); a quarter as many behind common examples
  --shots N          those examples (default 8; 0: none)
  --tokens N         new tokens at most (default 24)
  --batch N          prompts in work at the same time (default 50)
  --shape, --repeats, --rounds, --backend, --python, --no-peer, --dist, --json as above

npm run bench -- display [options]     a training run with its live chart beside one without, in turns

  --shape NAME       as above
  --pairs N          pairs of blocks, one with the chart and one without (default 12)
  --block N          steps of a block (default 20)
  --batch, --length, --backend, --dist, --json as above

npm run bench -- kernel [options]      our Jupyter kernel beside tslab, Deno's and ipykernel, through jupyter_client

  --rounds N         new kernels of each kind, in turn (default 5)
  --repeats N        requests timed in each (default 30)
  --only LIST        of tunebook,tslab,deno,ipykernel
  --jupyter PATH     Python with jupyter_client and ipykernel (default: .venv)
  --deno PATH        Deno (default: beside the peers' Python, else the one on the PATH)
  --dist, --json as above

npm run bench -- paint [options]       from running a cell to its chart's first pixels in JupyterLab, beside tslab

  --charts N         charts drawn in each new kernel (default 6)
  --rounds N         new kernels of each kind, in turn (default 3)
  --only LIST        of tunebook,tslab
  --dist, --json as above

npm run bench -- sweep [options]       what a sweep adds to each trial: process, code, result, journal

  --trials N         trials that do nothing (default 20)
  --concurrency N    at a time (default 1)
  --rounds N         sweeps (default 3)
  --dist, --json as above`;

/** A command line that cannot be understood; the message is followed by the usage. */
export class BadUsage extends Error {}

/** Options of a bench; numbers are checked to be whole and positive. */
export function options(args, spec) {
  let values;
  try {
    values = parseArgs({ args, options: spec }).values;
  } catch (error) {
    throw new BadUsage(error.message);
  }
  const number = (name, value) => {
    const n = Number(value);
    if (!Number.isInteger(n) || n < 1) throw new BadUsage(`--${name} needs a whole number of at least 1, found "${value}"`);
    return n;
  };
  return { values, number: name => number(name, values[name]) };
}
