/** Kinds of task that have wordings, with the fields they need (`options` where answers are chosen from a list). */
export const TASK_FIELDS = {
  /** Does the premise entail the hypothesis? */
  nli: ['premise', 'hypothesis'],
  /** Do two sentences mean the same? */
  paraphrase: ['sentence1', 'sentence2'],
  sentiment: ['text'],
  /** What is the text about? */
  topic: ['text'],
  /** A question without a passage. */
  question: ['question'],
  /** A question about a passage. */
  reading: ['context', 'question'],
  /** Continue a story or a sentence in the sensible way. */
  completion: ['context'],
  summary: ['text'],
  /** `from` and `to` name languages. */
  translation: ['text', 'from', 'to'],
  /** Write a text from facts or concepts. */
  'data-to-text': ['data'],
  /** Any instruction with an input it is about. */
  instruction: ['instruction', 'input'],
} as const;

export type TaskType = keyof typeof TASK_FIELDS;

/** Ways to put a task into words. */
export type WordingStyle = 'flan' | 't0' | 't5';

/** Wordings of each task; `{field}` stands for a field, `{options}` for the answers to choose from. */
export type Wordings = Readonly<Record<TaskType, readonly string[]>>;

/** One example of a task, not yet in words. */
export interface TaskExample {
  type: TaskType;
  /** The fields of {@link TASK_FIELDS} for this type. */
  fields: Readonly<Record<string, string>>;
  /** Answers to choose from, where the task is a choice. */
  options?: readonly string[];
  answer: string;
  task?: string;
}
